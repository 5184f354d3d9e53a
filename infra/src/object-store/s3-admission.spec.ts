import { describe, expect, it } from '@jest/globals';
import { StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import { Admission } from './s3-admission.js';

describe('admission', () => {
  it('lets bodies begin while memory is left, and again when some is given back', async () => {
    const admission = new Admission(100, 1, 10_000);
    expect(admission.begin()).toBeUndefined();
    admission.take(150);
    let begun = 0;
    const waiting = [admission.begin(), admission.begin()].map((wait) => Promise.resolve(wait).then(() => begun++));
    admission.give(20);
    await new Promise((resolve) => setImmediate(resolve));
    expect(begun).toBe(0);
    admission.give(40);
    await Promise.all(waiting);
    expect(begun).toBe(2);
  });

  it('lets few grow large at once, in the order of their coming', async () => {
    const admission = new Admission(100, 2, 10_000);
    expect([admission.takeLarge(), admission.takeLarge()]).toEqual([undefined, undefined]);
    const order: string[] = [];
    const waiting = ['third', 'fourth'].map((who) => Promise.resolve(admission.takeLarge()).then(() => order.push(who)));
    admission.giveLarge();
    admission.giveLarge();
    await Promise.all(waiting);
    expect(order).toEqual(['third', 'fourth']);
    admission.giveLarge();
    expect(admission.takeLarge()).toBeUndefined();
  });

  it('refuses for now who has waited too long, and forgets them', async () => {
    const admission = new Admission(100, 0, 5);
    await expect(Promise.resolve(admission.takeLarge())).rejects.toBeInstanceOf(StoreUnavailable);
    admission.giveLarge();
    expect(admission.takeLarge()).toBeUndefined();
    admission.take(101);
    await expect(Promise.resolve(admission.begin())).rejects.toBeInstanceOf(StoreUnavailable);
  });
});
