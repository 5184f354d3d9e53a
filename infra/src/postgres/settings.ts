/**
 * A mail server's PostgreSQL on a small machine. Given on the command line, so that a new release changes them without touching files.
 * What an acknowledged mail rests on (fsync, synchronous_commit, full_page_writes) is spelled out although it is the default.
 */
export const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '80',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_compression: 'off', // the binaries have no lz4, and pglz costs more time than it saves
  max_wal_size: '1GB',
  min_wal_size: '256MB',
  checkpoint_timeout: '15min',
  max_wal_senders: '2',
  // Memory: the whole system is to stay below 500 MB, and the kernel caches files as well.
  shared_buffers: '64MB',
  work_mem: '8MB',
  maintenance_work_mem: '48MB',
  effective_cache_size: '512MB',
  huge_pages: 'off',
  dynamic_shared_memory_type: 'posix',
  // Short statements only: neither compiling them nor spreading them over processes pays; I/O workers would be three more processes.
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  max_worker_processes: '4',
  max_logical_replication_workers: '0',
  io_method: 'sync',
  random_page_cost: '1.1',
  // Queue rows change often: look soon, and let go of a tenth rather than a fifth of dead rows.
  autovacuum_naptime: '20s',
  autovacuum_max_workers: '2',
  autovacuum_vacuum_scale_factor: '0.1',
  autovacuum_analyze_scale_factor: '0.05',
  // A client that was killed in the middle of a statement gives its locks back within seconds.
  client_connection_check_interval: '2s',
  idle_in_transaction_session_timeout: '5min',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Lines go into JSON with a time of their own. Terse: details quote rows, and rows hold addresses.
  log_line_prefix: '[%p] ',
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
  logging_collector: 'off',
};

/** Throw-away servers of tests: nothing has to survive the machine. */
export const UNSAFE_SETTINGS: Readonly<Record<string, string>> = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  autovacuum_naptime: '5min',
};

export const asArguments = (settings: Readonly<Record<string, string>>): string[] =>
  Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
