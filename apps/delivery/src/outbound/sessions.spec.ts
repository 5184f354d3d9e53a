import { describe, expect, it } from '@jest/globals';
import { type Seat, Sessions, type Standing, type Wanting } from './sessions.js';

/** Takes whatever it is offered, up to `wish` connections. */
class Route implements Wanting {
  readonly seats: Seat[] = [];

  constructor(
    private readonly sessions: Sessions,
    public standing: Standing,
    private wish = 1,
  ) {}

  pump(): void {
    while (this.seats.length < this.wish) {
      const seat = this.sessions.take(this);
      if (!seat) return;
      this.seats.push(seat);
    }
  }

  leave(): void {
    this.wish = 0;
    for (const seat of this.seats.splice(0)) this.sessions.release(seat);
  }
}
const routes = (sessions: Sessions, standing: Standing, count: number): readonly Route[] => {
  const made = Array.from({ length: count }, () => new Route(sessions, standing));
  for (const route of made) route.pump();
  return made;
};
const seated = (all: readonly Route[]): number => all.filter((route) => route.seats.length > 0).length;

describe('connections', () => {
  it('are never more than may be, and go to whoever waits', () => {
    const sessions = new Sessions(() => 3);
    const all = routes(sessions, 'new', 5);
    expect([seated(all), sessions.used, sessions.wanted]).toEqual([3, 3, true]);
    all[0]?.leave();
    expect([all[3]?.seats.length, sessions.used]).toEqual([1, 3]);
    for (const route of all) route.leave();
    expect([sessions.used, sessions.wanted]).toEqual([0, false]);
  });

  it('are held by slow routes up to a half, and there is one for them even if there is one in all', () => {
    const sessions = new Sessions(() => 10);
    const slow = routes(sessions, 'slow', 20);
    expect(seated(slow)).toBe(5);
    expect(sessions.wanted).toBe(false); // nobody else has to make room for them
    expect(seated(routes(sessions, 'new', 20))).toBe(5);
    const single = new Sessions(() => 1);
    expect(seated(routes(single, 'slow', 2))).toBe(1);
  });

  it('that take long move to the half of the slow ones; beyond it they must make room as soon as others wait', () => {
    const sessions = new Sessions(() => 4);
    const all = routes(sessions, 'new', 4);
    const stays = () => all.flatMap((route) => route.seats).filter((seat) => sessions.crawls(seat)).length;
    expect(stays()).toBe(4);
    routes(sessions, 'good', 1);
    expect(stays()).toBe(2);
    sessions.quickens(all[0]?.seats[0] as Seat);
    expect(sessions.slowShare).toBe(true);
  });

  it('go to those who were quick, to the unknown and to the slow in turn', () => {
    const sessions = new Sessions(() => 2);
    const first = routes(sessions, 'new', 2);
    const [unknown, good, slow] = [routes(sessions, 'new', 100), routes(sessions, 'good', 100), routes(sessions, 'slow', 100)];
    const waves = [first[0], first[1]];
    for (let n = 0; n < 6; n++) {
      waves[n]?.leave();
      waves.push([...unknown, ...good, ...slow].find((route) => route.seats.length > 0 && !waves.includes(route)));
    }
    const had = (all: readonly Route[]) => waves.filter((wave) => wave && all.includes(wave)).length;
    expect([had(good), had(slow), had(unknown)]).toEqual([2, 2, 2]);
  });

  it('without work are closed for those who wait, but not for slow ones whose half is full', () => {
    const sessions = new Sessions(() => 2);
    let closed = 0;
    routes(sessions, 'slow', 1);
    sessions.idles(() => closed++);
    routes(sessions, 'slow', 1);
    expect(closed).toBe(0);
    routes(sessions, 'new', 2);
    expect(closed).toBe(1);
  });
});
