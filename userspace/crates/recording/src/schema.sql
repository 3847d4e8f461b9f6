-- All times are nanoseconds since boot. `seq` orders all records across tables. Who did something is named by (pid,
-- start, exec_id): the newest row of `process` with these before it, if any. Names that are no UTF-8 are blobs.
-- Unsigned numbers beyond the range of SQLite's integers are in two's complement.
CREATE TABLE session (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version TEXT NOT NULL, -- of sockleak
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    kernel TEXT NOT NULL,
    boot_time INTEGER NOT NULL, -- nanoseconds since 1970
    targets TEXT NOT NULL, -- JSON array
    leak_age INTEGER NOT NULL, -- nanoseconds
    limits TEXT NOT NULL, -- JSON list of SOCKET=SLOTS
    hooks TEXT NOT NULL, -- JSON
    started INTEGER NOT NULL,
    now INTEGER NOT NULL, -- up to when all is recorded
    ended INTEGER NOT NULL, -- 1: the recording ended in order
    losses TEXT NOT NULL, -- JSON array
    skipped_runs INTEGER NOT NULL,
    gaps TEXT NOT NULL, -- JSON array
    -- Of a segment of a store; NULL in a recording of its own.
    source TEXT, -- what the records came from: segments with another one have nothing to do with each other
    follows INTEGER, -- 1: it goes on where the segment with the number before ends; 0: there is a gap between them
    ring_position INTEGER -- up to where in the ring buffer all records are in this file, or in those before
);

CREATE TABLE process (
    seq INTEGER PRIMARY KEY,
    pid INTEGER NOT NULL,
    start INTEGER NOT NULL,
    exec_id INTEGER NOT NULL,
    program TEXT,
    argv TEXT NOT NULL, -- JSON array
    argv_truncated INTEGER NOT NULL,
    comm TEXT NOT NULL,
    uid INTEGER NOT NULL,
    gid INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    cgroup INTEGER NOT NULL,
    cgroup_path TEXT,
    user TEXT,
    pid_in_namespace INTEGER NOT NULL,
    mount_namespace INTEGER NOT NULL,
    network_namespace INTEGER NOT NULL,
    pid_namespace INTEGER NOT NULL,
    container TEXT -- JSON object: what the files of the container engine say
);
CREATE INDEX process_by_id ON process (pid, start, exec_id);

CREATE TABLE listener (
    seq INTEGER PRIMARY KEY,
    listener INTEGER NOT NULL,
    path TEXT NOT NULL,
    path_truncated INTEGER NOT NULL,
    bind_name TEXT NOT NULL,
    is_abstract INTEGER NOT NULL,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    directory_inode INTEGER NOT NULL,
    mount_namespace INTEGER NOT NULL,
    network_namespace INTEGER NOT NULL,
    pid INTEGER,
    backlog INTEGER NOT NULL,
    is_seqpacket INTEGER NOT NULL
);
CREATE INDEX listener_by_number ON listener (listener);

CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL, -- 1 connect, 2 accept, 3 release, 4 listener closed, 5 failed attempt,
                           -- 6 found gone, 7 round begins, 8 round ends, 10 stack of the opener to come;
                           -- what lies between 11 and 13 happened before the segment of a store that begins
                           -- with it, and leads to what was open then; in it 12 tells of a listener at the last
                           -- accept, its queue and as status its slots, and the queue of a connect is not known;
                           -- 14: nothing was watched from status to at;
                           -- 15: from at on it is noted when an end sends (status 1), or some sends were missed (0)
    at INTEGER,
    connection INTEGER,
    listener INTEGER,
    side INTEGER, -- 1 client, 2 server
    pid INTEGER,
    start INTEGER,
    exec_id INTEGER,
    tid INTEGER, -- NULL: as pid
    uid INTEGER,
    gid INTEGER,
    comm TEXT, -- NULL: as the process's
    inode INTEGER, -- of the client's socket (connect) or the server's (accept)
    queue_length INTEGER,
    queue_max INTEGER,
    untracked INTEGER, -- releases that will not be seen: 1 the client end's, 2 the server end's, 3 both
    reason INTEGER, -- 1 close, 2 exit, 3 killed, 4 exec, 5 listener closed, 6 collected, 7 unseen
    status INTEGER, -- exit status or signal
    errno INTEGER,
    address TEXT, -- as given to connect
    place TEXT, -- the path that it means
    stack INTEGER REFERENCES stack
);

-- Descriptors, as rounds over all of them found them.
CREATE TABLE held (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    connection INTEGER, -- NULL: the listener itself
    listener INTEGER NOT NULL,
    side INTEGER, -- 1 client, 2 server
    pid INTEGER NOT NULL,
    start INTEGER NOT NULL,
    exec_id INTEGER NOT NULL,
    tid INTEGER, -- NULL: as pid
    uid INTEGER,
    gid INTEGER,
    comm TEXT, -- NULL: as the process's
    fd INTEGER NOT NULL,
    inode INTEGER NOT NULL, -- 0: the end waits in the queue of the listener whose descriptor this is
    is_seed INTEGER, -- 1: no hook saw the connection's start
    peer INTEGER, -- the other end: 1 open, 2 queued, 3 released
    peer_inode INTEGER,
    opener INTEGER, -- pid of who connected, as the server sees it
    queue_length INTEGER,
    queue_max INTEGER,
    -- Use of an end; NULL where it was not looked at. What was sent counts from when that was noted.
    sent_bytes INTEGER,
    sends INTEGER,
    last_sent INTEGER, -- to 67 ms; NULL: nothing was noted
    unread INTEGER, -- messages that lie there
    shut INTEGER -- by shutdown(2), at whichever end: 1 it receives nothing more, 2 it sends nothing more, 3 both
);

CREATE TABLE stack (
    id INTEGER PRIMARY KEY,
    frames TEXT NOT NULL -- JSON array, the innermost function first
);
