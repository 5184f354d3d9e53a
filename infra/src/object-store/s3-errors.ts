import { StoreOutOfReach, StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';

const CODE = /^[A-Za-z][\w.-]{0,60}$/;

/**
 * What the server or the network calls it. Only this leaves the store: an S3 error carries what was signed and by whom.
 * Replies without a body of their own have no code.
 */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && CODE.test(code) ? code : 'unknown';
}

/** Worth another attempt: the network, a server that is busy or broken, a body that was damaged on its way. */
const PASSING = new Set([
  'unknown', 'InternalError', 'InternalServerError', 'ServiceUnavailable', 'SlowDown', 'SlowDownRead', 'SlowDownWrite', 'Busy', 'RequestTimeout', 'TooManyRequests', 'Throttling',
  'ThrottlingException', 'RequestLimitExceeded', 'OperationAborted', 'BadDigest', 'XAmzContentSHA256Mismatch', 'IncompleteBody',
  'ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL',
  'ERR_STREAM_PREMATURE_CLOSE', 'HPE_INVALID_CONSTANT', 'ERR_SSL_WRONG_VERSION_NUMBER',
]);

export const isPassing = (error: unknown): boolean => PASSING.has(codeOf(error)) && !(error instanceof TypeError);

/** Passing by the code, but of what is set up wrongly. */
const STAYS = new Set(['HPE_INVALID_CONSTANT', 'ERR_SSL_WRONG_VERSION_NUMBER']);

/** The server does not answer, or is not ready. */
export class StoreAway extends StoreOutOfReach {}

const ABSENT = new Set(['NoSuchKey', 'NotFound', 'NoSuchVersion', 'InvalidRange']);

/** There is no such object, or it is shorter than what was asked for. */
export const isAbsent = (error: unknown): boolean => ABSENT.has(codeOf(error));

const LOCKED = new Set(['AccessDenied', 'Forbidden', 'ObjectLocked', 'InvalidRequest', 'MethodNotAllowed']);

/** The server keeps the object for now. */
export const isRefusedDeletion = (error: unknown): boolean => LOCKED.has(codeOf(error));

const KEYS = 'check s3AccessKey and s3SecretKey';
const ADVICE: Readonly<Record<string, string>> = {
  InvalidAccessKeyId: `it does not know the access key: ${KEYS}`,
  XAdminUserNotFound: `it does not know the access key: ${KEYS}`, // versitygw
  SignatureDoesNotMatch: `the secret key is not the access key's: ${KEYS}`,
  AccessDenied: `the access key may not do this: ${KEYS}, and what the key is allowed to do with s3Bucket`,
  Forbidden: `the access key may not do this: ${KEYS}, and what the key is allowed to do with s3Bucket`,
  NoSuchBucket: 'there is no such bucket: check s3Bucket',
  InvalidBucketName: 'no bucket can have this name: check s3Bucket',
  AuthorizationHeaderMalformed: 'the bucket is in another region: check s3Region',
  PermanentRedirect: 'the bucket is elsewhere: check s3Endpoint and s3Region',
  MovedPermanently: 'the bucket is elsewhere: check s3Endpoint and s3Region',
  TemporaryRedirect: 'the bucket is elsewhere: check s3Endpoint and s3Region',
  RequestTimeTooSkewed: "this machine's clock and the server's differ by more than it allows (15 minutes as a rule): set the clock",
  RequestExpired: "this machine's clock and the server's differ by more than it allows (15 minutes as a rule): set the clock",
  ENOTFOUND: 'no such host: check s3Endpoint',
  ECONNREFUSED: 'nothing listens there: check s3Endpoint, and that the server runs',
  ETIMEDOUT: 'no answer in time',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by nobody who is trusted here: name its CA in NODE_EXTRA_CA_CERTS',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by nobody who is trusted here: name its CA in NODE_EXTRA_CA_CERTS',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by nobody who is trusted here: name its CA in NODE_EXTRA_CA_CERTS',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by nobody who is trusted here: name its CA in NODE_EXTRA_CA_CERTS',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name: check s3Endpoint',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS there: check s3Endpoint',
  NotImplemented: 'it cannot do what is asked for: check s3Encryption and s3ObjectLock',
  InvalidRequest: 'it does not take the request: check s3Encryption and s3ObjectLock',
  'KMS.NotFoundException': 'the key for encryption is not there: check s3Encryption',
};

/** For the administrator: what failed, the server's code, the setting to look at. No secret. */
export function explain(error: unknown): string {
  const code = codeOf(error);
  const advice = ADVICE[code];
  return advice === undefined ? `the S3 server failed: ${code}` : `the S3 server failed: ${code}, ${advice}`;
}

/** The original error is not kept as the cause: it may hold what must not be logged. */
export function unavailable(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error;
  return isPassing(error) && !STAYS.has(codeOf(error)) ? new StoreAway(explain(error)) : new StoreUnavailable(explain(error));
}
