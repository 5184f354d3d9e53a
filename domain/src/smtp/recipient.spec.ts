import { describe, expect, it } from '@jest/globals';
import { Refusal } from '../kernel/decider.js';
import { checkRecipient, type RecipientQuestion } from './recipient.js';
import { People } from './testing/people.js';

const STRANGER = { size: 0, sender: 'someone@far.test', mayRelay: false };

async function verdict(address: string, more: Partial<RecipientQuestion> = {}): Promise<string> {
  try {
    await checkRecipient(new People(), { ...STRANGER, ...more, address });
    return 'taken';
  } catch (no) {
    if (no instanceof Refusal) return (no as Refusal).reason;
    throw no;
  }
}

describe('mail from a stranger', () => {
  it.each([
    ['ann@x.test', 'taken'],
    ['ANN@X.TEST', 'taken'],
    ['ann+lists@x.test', 'taken'],
    ['sales@x.test', 'taken'],
    ['all@x.test', 'taken'],
    ['nested@x.test', 'taken'],
    ['outside@x.test', 'taken'],
    ['nobody@x.test', 'unknown-recipient'],
    ['gone@x.test', 'account-disabled'],
    ['ann@off.test', 'domain-disabled'],
    ['full@x.test', 'mailbox-full'],
    ['ann@far.test', 'relay-denied'],
  ])('to %s: %s', async (address, expected) => expect(await verdict(address)).toBe(expected));

  it('is not relayed because it claims to be ours', async () => {
    expect(await verdict('ann@far.test', { sender: 'ann@x.test' })).toBe('local-sender-unauthenticated');
    expect(await verdict('ann@far.test', { sender: 'nobody@x.test' })).toBe('local-sender-unauthenticated');
    expect(await verdict('ann@far.test', { sender: '' })).toBe('relay-denied');
  });

  it('is relayed for those who may', async () => expect(await verdict('ann@far.test', { mayRelay: true })).toBe('taken'));
});

describe('a quota', () => {
  it('counts the announced size, to the byte', async () => {
    expect(await verdict('small@x.test', { size: 1000 })).toBe('taken');
    expect(await verdict('small@x.test', { size: 1001 })).toBe('mailbox-full');
  });
});

describe('an alias', () => {
  it('is refused when none of its targets can take mail', async () => {
    expect(await verdict('dead@x.test')).toBe('account-disabled');
    expect(await verdict('empty@x.test')).toBe('unknown-recipient');
  });

  it('is refused for now when time may help', async () => expect(await verdict('waits@x.test')).toBe('mailbox-full'));

  it('that leads to itself is left to delivery, after few questions', async () => {
    const people = new People();
    await checkRecipient(people, { ...STRANGER, address: 'loop@x.test' });
    await checkRecipient(people, { ...STRANGER, address: 'fork@x.test' });
    expect(people.lookups).toBeLessThan(60);
  });
});

describe('a directory that cannot answer', () => {
  it('refuses nobody', async () => {
    const people = new People();
    people.broken = true;
    await expect(checkRecipient(people, { ...STRANGER, address: 'ann@x.test' })).rejects.not.toBeInstanceOf(Refusal);
  });
});
