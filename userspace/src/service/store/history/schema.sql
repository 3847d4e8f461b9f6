-- Times are milliseconds since 1970, UTC. A minute has the time of its beginning.
CREATE TABLE socket (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE, -- path or @name
    seen INTEGER NOT NULL -- not earlier than an hour before its last minute
);

CREATE TABLE program (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    seen INTEGER NOT NULL
);

CREATE TABLE minute (
    at INTEGER NOT NULL,
    socket INTEGER NOT NULL REFERENCES socket,
    slots_max INTEGER NOT NULL,
    slots_last INTEGER NOT NULL,
    slots_limit INTEGER,
    queue_max INTEGER,
    opened INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    open_last INTEGER NOT NULL,
    PRIMARY KEY (socket, at)
) WITHOUT ROWID;

-- The ten programs with the most open connections, and the others as [others].
CREATE TABLE program_minute (
    at INTEGER NOT NULL,
    socket INTEGER NOT NULL REFERENCES socket,
    program INTEGER NOT NULL REFERENCES program,
    open_last INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    PRIMARY KEY (socket, at, program)
) WITHOUT ROWID;
