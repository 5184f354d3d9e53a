import { describe, expect, it } from '@jest/globals';
import { Refusal } from '../kernel/decider.js';
import { checkHeaderFrom, checkSender, type Trust } from './sender.js';
import { People } from './testing/people.js';

const ann = { account: 'id-ann', address: 'ann@x.test' };

const outcome = (check: Promise<void>): Promise<string> =>
  check.then(
    () => 'permitted',
    (no: unknown) => {
      if (no instanceof Refusal) return (no as Refusal).reason;
      throw no;
    },
  );

const OWN = ['ann@x.test', 'Ann@X.Test', 'ann+lists@x.test', 'sales@x.test', 'nested@x.test', ''];
const LOCAL = ['bob@x.test', 'all@x.test', 'nobody@x.test', 'loop@x.test', 'empty@x.test'];
const OTHER = ['ann@far.test', 'ann@off.test', 'no-domain'];

describe.each<[Trust, string, string, string]>([
  ['login', 'permitted', 'permitted', 'sender-not-local'],
  ['envelope', 'permitted', 'sender-not-yours', 'sender-not-yours'],
  ['header', 'permitted', 'sender-not-yours', 'sender-not-yours'],
])('sender trust %s', (trust, own, local, other) => {
  it.each([...OWN.map((a) => [a, own]), ...LOCAL.map((a) => [a, local]), ...OTHER.map((a) => [a, other])])('for %j: %s', async (address, expected) =>
    expect(await outcome(checkSender(new People(), trust, ann, address))).toBe(expected),
  );
});

describe('the From field at trust level header', () => {
  it.each<[readonly string[] | undefined, string]>([
    [['ann@x.test'], 'permitted'],
    [['sales@x.test', 'ANN@x.test'], 'permitted'],
    [[], 'permitted'],
    [['bob@x.test'], 'header-from-not-yours'],
    [['ann@x.test', 'bob@x.test'], 'header-from-not-yours'],
    [['ceo@far.test'], 'header-from-not-yours'],
    [undefined, 'header-from-not-yours'],
    [Array.from({ length: 11 }, () => 'ann@x.test'), 'header-from-not-yours'],
  ])('%j: %s', async (from, expected) => expect(await outcome(checkHeaderFrom(new People(), ann, from))).toBe(expected));
});
