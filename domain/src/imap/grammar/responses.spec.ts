import { describe, expect, it } from '@jest/globals';
import {
  aclLine, esearchLine, idLine, listLine, listRightsLine, metadataChangedLine, metadataLine, myRightsLine, numbersLine, quotaLine, quotaRootLine,
  statusResponse,
} from './responses.js';

describe('a response', () => {
  it.each([
    [numbersLine('SEARCH', []), 'SEARCH'],
    [numbersLine('SORT', [3, 1, 2]), 'SORT 3 1 2'],
    [numbersLine('SEARCH', new Uint32Array([2, 3]), 917), 'SEARCH 2 3 (MODSEQ 917)'],
    [esearchLine('a"1', false, {}), 'ESEARCH (TAG "a\\"1")'],
    [esearchLine('a', true, { min: 1, max: 9, count: 0, all: '1:9', modSeq: 4 }), 'ESEARCH (TAG "a") UID MIN 1 MAX 9 COUNT 0 ALL 1:9 MODSEQ 4'],
    [esearchLine('a', true, { partial: { range: '-1:-100', set: undefined } }), 'ESEARCH (TAG "a") UID PARTIAL (-1:-100 NIL)'],
    [esearchLine('a', false, { partial: { range: '1:2', set: '4,6' } }), 'ESEARCH (TAG "a") PARTIAL (1:2 4,6)'],
    [listLine('LIST', { attributes: ['\\HasChildren', '\\Sent'], name: '送信' }, false), 'LIST (\\HasChildren \\Sent) "/" &kAFP4Q-'],
    [listLine('LIST', { attributes: [], name: '送信' }, true), 'LIST () "/" "送信"'],
    [listLine('LSUB', { attributes: ['\\Noselect'], name: 'a b' }, false), 'LSUB (\\Noselect) "/" "a b"'],
    [listLine('LIST', { attributes: [], name: 'b', childInfo: ['SUBSCRIBED'], oldName: 'a' }, true), 'LIST () "/" b ("CHILDINFO" ("SUBSCRIBED") "OLDNAME" (a))'],
    [statusResponse('INBOX', [['MESSAGES', 3], ['MAILBOXID', '(F1)']], false), 'STATUS INBOX (MESSAGES 3 MAILBOXID (F1))'],
    [quotaLine('', [['STORAGE', 10, 512], ['MESSAGE', 3, 9]], false), 'QUOTA "" (STORAGE 10 512 MESSAGE 3 9)'],
    [quotaRootLine('INBOX', [''], false), 'QUOTAROOT INBOX ""'],
    [quotaRootLine('a b', [], false), 'QUOTAROOT "a b"'],
    [aclLine('INBOX', [['ann@x.test', 'lrs'], ['-bob', '']], false), 'ACL INBOX ann@x.test lrs -bob ""'],
    [listRightsLine('INBOX', 'bob', '', ['l', 'rs'], false), 'LISTRIGHTS INBOX bob "" l rs'],
    [myRightsLine('INBOX', '', false), 'MYRIGHTS INBOX ""'],
    [metadataLine('', [['/shared/comment', 'é'], ['/private/comment', null]], false), 'METADATA "" (/shared/comment {2}\r\né /private/comment NIL)'],
    [metadataChangedLine('INBOX', ['/shared/comment'], false), 'METADATA INBOX /shared/comment'],
    [idLine([['name', 'Kiroku'], ['version', null]]), 'ID ("name" "Kiroku" "version" NIL)'],
    [idLine([]), 'ID NIL'],
  ])('%s', (line, expected) => expect(line).toBe(expected));
});
