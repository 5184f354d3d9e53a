import { describe, expect, it } from '@jest/globals';
import { NO_STYLES, noticeStyleFor, noticeStyleProblemsOf, type NoticeStyles, subjectsIn } from './notice-styles.js';

const styles: NoticeStyles = {
  domains: {
    '*': { from: 'errors@mx.test', name: 'Errors', subjects: { failed: 'Mail Transfer ERROR!', delayed: 'Mail is pending.' } },
    'x.test': { from: 'errors@x.test', language: 'ja', subjects: { failed: { ja: '配送エラー: {subject}', en: 'Error: {subject}' } } },
    '*.y.test': { name: 'Y' },
  },
};

describe('the style of notices', () => {
  it('is that of the domain they go to, over that of all', () => {
    expect(noticeStyleFor(styles, 'ann@X.test')).toEqual({ from: 'errors@x.test', name: 'Errors', language: 'ja', subjects: { failed: { ja: '配送エラー: {subject}', en: 'Error: {subject}' }, delayed: 'Mail is pending.' } });
    expect(noticeStyleFor(styles, 'ann@a.y.test')).toMatchObject({ from: 'errors@mx.test', name: 'Y' });
    expect(noticeStyleFor(styles, 'ann@y.test')).toMatchObject({ from: 'errors@mx.test', name: 'Errors' });
    expect(noticeStyleFor(NO_STYLES, 'ann@x.test')).toEqual({});
  });

  it('has subjects in the languages of the notice', () => {
    const style = noticeStyleFor(styles, 'ann@x.test');
    expect(subjectsIn(style, ['ja', 'en'])).toEqual({ failed: '配送エラー: {subject} / Error: {subject}', delayed: 'Mail is pending.' });
    expect(subjectsIn(style, ['en'])).toEqual({ failed: 'Error: {subject}', delayed: 'Mail is pending.' });
    expect(subjectsIn({ subjects: { failed: { ja: '配送エラー' } } }, ['en'])).toEqual({}); // the built-in one
    expect(subjectsIn({}, ['en'])).toEqual({});
  });
});

describe('settings of styles', () => {
  it('are taken when they make sense', () => expect([noticeStyleProblemsOf(styles), noticeStyleProblemsOf(NO_STYLES)]).toEqual([[], []]));

  it.each<[unknown, string]>([
    [null, 'expected domains'],
    [{ domains: {}, more: 1 }, 'more: there is no such part'],
    [{ domains: { 'X.test': {} } }, 'X.test: expected a domain in lower case, *.domain or *'],
    [{ domains: { '*': [] } }, '*: expected from, name, language and subjects'],
    [{ domains: { '*': { from: 'エラー@x.test' } } }, '*: from: expected a mail address in ASCII'],
    [{ domains: { '*': { from: 'a b@x.test' } } }, '*: from: expected a mail address in ASCII'],
    [{ domains: { '*': { name: 'a\r\nb' } } }, '*: name: expected 1 to 200 characters, no control characters'],
    [{ domains: { '*': { language: 'fr' } } }, '*: language: expected both, ja or en'],
    [{ domains: { '*': { subjects: 'x' } } }, '*: subjects: expected texts for failed, delayed, delivered, relayed, expanded'],
    [{ domains: { '*': { subjects: { lost: 'x' } } } }, '*: subjects lost: expected failed, delayed, delivered, relayed, expanded'],
    [{ domains: { '*': { subjects: { failed: { fr: 'x' } } } } }, '*: subjects failed: expected 1 to 200 characters, no control characters; or such a text for ja and en each'],
    [{ domains: { '*': { subjects: { failed: 'x'.repeat(201) } } } }, '*: subjects failed: expected 1 to 200 characters, no control characters; or such a text for ja and en each'],
    [{ domains: { '*': { colour: 'red' } } }, '*: colour: there is no such part'],
  ])('%j are not', (settings, problem) => expect(noticeStyleProblemsOf(settings)).toEqual([problem]));
});
