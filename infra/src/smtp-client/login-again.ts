import { type ClientConversation, ConnectFailed, type OpenConversation } from '@kiroku/domain/smtp-client/types.js';

/**
 * An access token may be taken back before its time: where the server refuses one, it is tried once more with another, on a connection
 * of its own, since servers count failures by connection.
 */
export const loginAgain = <Talk extends ClientConversation>(open: OpenConversation<Talk>): OpenConversation<Talk> => async (target, signal) => {
  try {
    return await open(target, signal);
  } catch (error) {
    const refused = error instanceof ConnectFailed && error.phase === 'AUTH' && error.because === 'refused';
    const credentials = refused && !signal?.aborted ? await target.credentials?.renew?.() : undefined;
    if (!credentials || signal?.aborted) throw error;
    return open({ ...target, credentials }, signal);
  }
};
