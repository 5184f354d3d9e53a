import { describe, expect, it } from '@jest/globals';
import { Refusal } from '../kernel/decider.js';
import { checkRecipient, type Outward, type RecipientQuestion } from './recipient.js';
import { People } from './testing/people.js';

const STRANGER = { size: 0, sender: 'someone@far.test', mayRelay: false };

/** No relay domain says anything but this; the queue has room. Counts who was asked what. */
function outwardOf(said: Awaited<ReturnType<Outward['verify']>> | Error = 'elsewhere', full = false): Outward & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    verify: (address) => (asked.push(address), said instanceof Error ? Promise.reject(said) : Promise.resolve(said)),
    full: () => (asked.push('full?'), full),
  };
}

async function verdict(address: string, more: Partial<RecipientQuestion> = {}, outward: Outward = outwardOf()): Promise<string> {
  try {
    await checkRecipient(new People(), outward, { ...STRANGER, ...more, address });
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

describe('mail for a relay domain', () => {
  it.each([
    ['yes', 'taken', 'taken'],
    ['no', 'unknown-recipient', 'unknown-recipient'],
    ['temporary', 'recipient-unverified', 'taken'],
    // removed since the directory was asked
    ['elsewhere', 'relay-denied', 'taken'],
  ] as const)('whose gateway says %s: %s to strangers, %s to those who may relay', async (said, stranger, known) => {
    expect(await verdict('dora@relay.test', {}, outwardOf(said))).toBe(stranger);
    expect(await verdict('dora@relay.test', { mayRelay: true }, outwardOf(said))).toBe(known);
  });

  it('is refused for good to nobody while the answer cannot be had', async () =>
    await expect(checkRecipient(new People(), outwardOf(new Error('away')), { ...STRANGER, address: 'dora@relay.test' })).rejects.not.toBeInstanceOf(Refusal));

  it('is the only mail about which a gateway is asked', async () => {
    const outward = outwardOf('no');
    for (const address of ['ann@x.test', 'outside@x.test', 'nobody@x.test']) await verdict(address, {}, outward);
    expect(outward.asked).toEqual([]);
    expect(await verdict('ann@far.test', { mayRelay: true }, outward)).toBe('taken');
    expect(outward.asked).toEqual(['full?']);
  });
});

describe('a full queue', () => {
  const full = (): ReturnType<typeof outwardOf> => outwardOf('yes', true);

  it('refuses recipients on other servers for now, without asking their gateways', async () => {
    const outward = full();
    expect(await verdict('ann@far.test', { mayRelay: true }, outward)).toBe('queue-full');
    expect(await verdict('dora@relay.test', {}, outward)).toBe('queue-full');
    expect(outward.asked).toEqual(['full?', 'full?']);
  });

  it('changes nothing for our own, nor for what is refused anyway', async () => {
    expect(await verdict('ann@x.test', {}, full())).toBe('taken');
    expect(await verdict('ann@far.test', {}, full())).toBe('relay-denied');
  });
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
    await checkRecipient(people, outwardOf(), { ...STRANGER, address: 'loop@x.test' });
    await checkRecipient(people, outwardOf(), { ...STRANGER, address: 'fork@x.test' });
    expect(people.lookups).toBeLessThan(60);
  });
});

describe('a directory that cannot answer', () => {
  it('refuses nobody', async () => {
    const people = new People();
    people.broken = true;
    await expect(checkRecipient(people, outwardOf(), { ...STRANGER, address: 'ann@x.test' })).rejects.not.toBeInstanceOf(Refusal);
  });
});
