import { describe, it } from '@jest/globals';
import { given } from '../kernel/given.js';
import { gatewayDecider, type GatewayEvent, type GatewayTable } from './gateway.js';
import { type GatewayLine, type GatewayRow, MOST_LINES } from './gateway-table.js';

const row = (target: string, more: Partial<GatewayRow> = {}): GatewayRow => ({ target, host: 'gw.test', port: 25, implicitTls: false, ...more });
const [A, B, C] = [row('a.test'), row('b.test', { sender: 'ann@x.test', credentials: 'isp' }), { comment: '; c' }];
const changed = (revision: number, lines: readonly GatewayLine[], change: GatewayEvent['data']['change'], more: Partial<GatewayTable> = {}): GatewayEvent =>
  ({ type: 'GatewayTableChanged', data: { revision, forwardAll: false, lines, ...more, change } });
const history = given(gatewayDecider);
const table = history(changed(7, [A, B, C], { kind: 'imported' }));

describe('a gateway table', () => {
  it('is imported as a whole, comments and all', () =>
    history().when({ type: 'ImportTable', text: 'a.test,gw.test,25\n; c\n' }).then(changed(1, [A, C], { kind: 'imported' })));
  it('that is imported again does not change', () =>
    table.when({ type: 'ImportTable', text: 'A.test, gw.test, 25\nb.test|ann@x.test,gw.test,25,isp\n; c' }).thenNothing());
  it('is not imported in part', () => table.when({ type: 'ImportTable', text: 'a.test,gw.test,25\nb.test,gw.test' }).refuses('bad-table'));
  it('keeps what else is set', () =>
    history(changed(7, [A], { kind: 'imported' }, { forwardAll: true })).when({ type: 'ImportTable', text: '' }).then(changed(8, [], { kind: 'imported' }, { forwardAll: true })));

  it('gets a row at its end, or anywhere', () => {
    table.when({ type: 'AddLine', line: { target: 'Z.test', host: 'gw.test', port: 25 } }).then(changed(8, [A, B, C, row('z.test')], { kind: 'added', line: 4 }));
    table.when({ type: 'AddLine', line: { comment: '# new' }, at: 1 }).then(changed(8, [{ comment: '# new' }, A, B, C], { kind: 'added', line: 1 }));
    table.when({ type: 'AddLine', line: A, at: 5 }).refuses('no-such-line');
    table.when({ type: 'AddLine', line: A, at: 0 }).refuses('no-such-line');
  });
  it('takes no row that it could not print, and no comment that is a row', () => {
    table.when({ type: 'AddLine', line: { target: 'a,b@x.test', host: 'gw', port: 25 } }).refuses('bad-gateway-line');
    table.when({ type: 'AddLine', line: { target: 'x.test', host: 'gw', port: 1.5 } }).refuses('bad-gateway-line');
    table.when({ type: 'AddLine', line: { comment: 'x.test,gw,25' } }).refuses('bad-gateway-line');
    table.when({ type: 'AddLine', line: { comment: '; one\n*,evil,25' } }).refuses('bad-gateway-line');
  });
  it('changes a part of a row', () => {
    table.when({ type: 'ChangeLine', at: 2, changes: { host: 'other.test', credentials: null, sender: undefined } })
      .then(changed(8, [A, row('b.test', { sender: 'ann@x.test', host: 'other.test' }), C], { kind: 'changed', line: 2 }));
    table.when({ type: 'ChangeLine', at: 1, changes: { target: 'A.TEST' } }).thenNothing();
    table.when({ type: 'ChangeLine', at: 3, changes: { port: 25 } }).refuses('bad-gateway-line');
    table.when({ type: 'ChangeLine', at: 4, changes: { port: 25 } }).refuses('no-such-line');
  });
  it('loses a line', () => {
    table.when({ type: 'RemoveLine', at: 2 }).then(changed(8, [A, C], { kind: 'removed', line: 2 }));
    table.when({ type: 'RemoveLine', at: 9 }).refuses('no-such-line');
  });
  it('moves a line up or down, to the number that it is to have', () => {
    table.when({ type: 'MoveLine', at: 3, to: 1 }).then(changed(8, [C, A, B], { kind: 'moved', line: 3, to: 1 }));
    table.when({ type: 'MoveLine', at: 1, to: 3 }).then(changed(8, [B, C, A], { kind: 'moved', line: 1, to: 3 }));
    table.when({ type: 'MoveLine', at: 2, to: 2 }).thenNothing();
    table.when({ type: 'MoveLine', at: 1, to: 4 }).refuses('no-such-line');
  });
  it('is not changed by who has seen an older one', () => {
    table.when({ type: 'RemoveLine', at: 2, revision: 6 }).refuses('stale-table');
    table.when({ type: 'RemoveLine', at: 3, revision: 7 }).then(changed(8, [A, B], { kind: 'removed', line: 3 }));
  });
  it('has an end', () =>
    history(changed(1, Array.from({ length: MOST_LINES }, () => A), { kind: 'imported' })).when({ type: 'AddLine', line: A }).refuses('too-many-lines'));
  it('takes all mail when told so', () => {
    table.when({ type: 'SetForwardAll', forwardAll: true }).then(changed(8, [A, B, C], { kind: 'forward-all' }, { forwardAll: true }));
    table.when({ type: 'SetForwardAll', forwardAll: false }).thenNothing();
  });
  it('keeps credentials that a row uses, and says so when others go', () => {
    table.when({ type: 'ForgetCredentials', name: 'isp' }).refuses('credentials-in-use');
    table.when({ type: 'ForgetCredentials', name: 'old' }).then(changed(8, [A, B, C], { kind: 'credentials-removed', name: 'old' }));
  });
});
