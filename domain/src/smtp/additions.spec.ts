import { describe, expect, it } from '@jest/globals';
import type { HeaderFacts } from '../mail/header-scan.js';
import { additions } from './additions.js';

const whole: HeaderFacts = { startsWithHeader: true, received: 0, date: true, sender: false, messageId: '1@x.test', from: ['Ann <ann@x.test>'] };
const submission = {
  id: 'Q1', sender: 'ann@x.test', login: { account: 'id-ann', address: 'ann@x.test' }, host: 'mx.x.test', at: Date.UTC(2026, 2, 2, 3), offset: 540,
};
const added = (header: Partial<HeaderFacts>, more: Partial<typeof submission> = {}) => additions({ ...whole, ...header }, { ...submission, ...more });

describe('a submitted message', () => {
  it('that is complete stays as it is', () => expect(added({})).toEqual({ lines: '' }));

  it('gets the fields it lacks', () => {
    const { messageId: _, ...without } = whole;
    expect(additions({ ...without, date: false, from: [] }, submission)).toEqual({
      lines: 'Date: Mon, 2 Mar 2026 12:00:00 +0900\r\nMessage-ID: <Q1@mx.x.test>\r\nFrom: <ann@x.test>\r\n',
      messageId: 'Q1@mx.x.test',
    });
  });

  it('with a null sender comes from who logged in', () => expect(added({ from: [] }, { sender: '' }).lines).toBe('From: <ann@x.test>\r\n'));

  it('names who logged in when From names somebody else, or several', () => {
    const sender = 'Sender: <ann@x.test>\r\n';
    expect(added({ from: ['sales@x.test'] }).lines).toBe(sender);
    expect(added({ from: ['ann@x.test, bob@x.test'] }).lines).toBe(sender);
    expect(added({ from: ['unreadable'] }).lines).toBe(sender);
    expect(added({ from: ['ANN@x.test'] }).lines).toBe('');
    expect(added({ from: ['sales@x.test'], sender: true }).lines).toBe('');
    expect(added({ from: [] }, { sender: 'sales@x.test' }).lines).toBe(`From: <sales@x.test>\r\n${sender}`);
  });

  it('keeps a Message-ID that we cannot read', () => expect(added({ messageId: '' })).toEqual({ lines: '' }));
});
