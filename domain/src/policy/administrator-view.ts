import type { Positioned } from '../kernel/event-log.js';
import type { Projection } from '../kernel/projection.js';
import type { AdministratorEvent } from './administrator.js';

export interface TokenRow {
  readonly id: string;
  /** SHA-256 of the token, hex. */
  readonly hash: string;
  /** Epoch ms. */
  readonly issuedAt: number;
  /** Actor. */
  readonly issuedBy: string;
}

/** `tokens` is a JSON list of TokenRow: few, and all are looked at for each login. */
type AdministratorRow = { name: string; added_at: number; tokens: string };

const nameOf = ({ event }: Positioned): string => (event.data as AdministratorEvent['data']).name;

/** Who may use the admin API now. */
export const administrators: Projection<AdministratorRow> = {
  name: 'administrator_1',
  topics: ['decision'],
  inline: true,
  types: ['AdministratorAdded', 'TokenIssued', 'TokenRevoked', 'AdministratorRemoved'] satisfies AdministratorEvent['type'][],
  key: ['name'],
  columns: { name: 'text', added_at: 'bigint', tokens: 'text' },
  keysOf: (positioned) => [{ name: nameOf(positioned) }],
  apply(row, positioned) {
    const { at, actor } = positioned.event;
    const event = positioned.event as unknown as AdministratorEvent;
    const tokens = JSON.parse(row?.tokens ?? '[]') as readonly TokenRow[];
    switch (event.type) {
      case 'AdministratorAdded':
        return { name: event.data.name, added_at: at, tokens: '[]' };
      case 'TokenIssued': {
        const { tokenId: id, hash } = event.data;
        return row && { ...row, tokens: JSON.stringify([...tokens, { id, hash, issuedAt: at, issuedBy: actor }]) };
      }
      case 'TokenRevoked':
        return row && { ...row, tokens: JSON.stringify(tokens.filter((t) => t.id !== event.data.tokenId)) };
      case 'AdministratorRemoved':
        return null;
    }
  },
};
