-- One row for each connection.
CREATE VIEW connection AS
WITH mark AS (
    SELECT connection, seq, kind, side, 0 AS peer, NULL AS client_inode, NULL AS server_inode, NULL AS pid, NULL AS opener
    FROM event WHERE connection IS NOT NULL
    UNION ALL
    SELECT
        connection, seq, 9, side, peer,
        CASE side WHEN 1 THEN inode ELSE peer_inode END,
        CASE side WHEN 2 THEN nullif(inode, 0) ELSE peer_inode END,
        pid, opener
    FROM held WHERE connection IS NOT NULL
), course AS (
    SELECT
        connection,
        min(CASE WHEN kind = 1 THEN seq END) AS connect,
        min(CASE WHEN kind = 2 THEN seq END) AS accept,
        min(CASE WHEN kind = 3 AND side = 1 THEN seq END) AS client_release,
        min(CASE WHEN kind = 3 AND side = 2 THEN seq END) AS server_release,
        max(kind = 6 AND side = 1 OR kind = 9 AND side = 2 AND peer = 3) AS client_gone,
        max(kind = 6 AND side = 2 OR kind = 9 AND side = 1 AND peer = 3) AS server_gone,
        min(CASE WHEN kind = 9 THEN seq END) AS found,
        max(kind = 9 AND side = 2) AS server_met,
        min(CASE WHEN kind = 9 AND side = 2 AND server_inode IS NOT NULL THEN seq END) AS server_found,
        min(CASE WHEN kind = 9 AND side = 1 AND opener = pid THEN seq END) AS opener_found,
        max(client_inode) AS client_inode,
        max(server_inode) AS server_inode,
        max(opener) AS opener_told
    FROM mark
    GROUP BY connection
    HAVING connect IS NOT NULL OR found IS NOT NULL
), stage AS (
    SELECT
        course.connection,
        coalesce(c.listener, f.listener) AS listener,
        coalesce(c.at, f.at) AS opened,
        CASE WHEN connect IS NOT NULL THEN 'seen' WHEN f.is_seed THEN 'before trace' ELSE 'start lost' END AS origin,
        coalesce(c.seq, o.seq) AS opener_seq,
        coalesce(c.pid, o.pid, opener_told) AS opener_pid,
        coalesce(c.start, o.start) AS opener_start,
        coalesce(c.exec_id, o.exec_id) AS opener_exec_id,
        coalesce(c.comm, o.comm) AS opener_comm,
        coalesce(c.inode, client_inode) AS client_inode,
        a.at AS accepted,
        coalesce(a.seq, sf.seq) AS acceptor_seq,
        coalesce(a.pid, sf.pid) AS acceptor_pid,
        coalesce(a.start, sf.start) AS acceptor_start,
        coalesce(a.exec_id, sf.exec_id) AS acceptor_exec_id,
        coalesce(a.comm, sf.comm) AS acceptor_comm,
        coalesce(a.inode, server_inode) AS server_inode,
        client_release, client_release IS NOT NULL OR client_gone AS client_released,
        server_release, server_release IS NOT NULL OR server_gone AS server_released,
        -- An end that nothing is heard of is not known to wait.
        accept IS NULL AND server_inode IS NULL AND (coalesce(c.untracked, 0) & 2 = 0 OR server_met) AS waits
    FROM course
    LEFT JOIN event c ON c.seq = connect
    LEFT JOIN event a ON a.seq = accept
    LEFT JOIN held f ON f.seq = found
    LEFT JOIN held o ON o.seq = opener_found
    LEFT JOIN held sf ON sf.seq = server_found
)
SELECT
    stage.connection,
    (SELECT path FROM listener l WHERE l.listener = stage.listener ORDER BY l.seq DESC LIMIT 1) AS path,
    CASE
        WHEN client_released AND server_released THEN 'closed'
        WHEN server_released THEN 'server-closed'
        WHEN client_released AND waits THEN 'abandoned'
        WHEN client_released THEN 'client-closed'
        WHEN waits THEN 'queued'
        ELSE 'open'
    END AS state,
    origin,
    {opened} AS opened,
    opener_pid AS pid,
    coalesce(op.program, '[' || coalesce(op.comm, opener_comm, 'unknown') || ']') AS program,
    op.argv AS argv,
    op.user AS user,
    op.cgroup_path AS cgroup,
    {accepted} AS accepted,
    acceptor_pid,
    CASE WHEN acceptor_pid IS NOT NULL
        THEN coalesce(ap.program, '[' || coalesce(ap.comm, acceptor_comm, 'unknown') || ']') END AS acceptor_program,
    {client_released} AS client_released,
    CASE WHEN cr.seq IS NOT NULL THEN {client_reason} WHEN client_released THEN 'unseen' END AS client_reason,
    cr.status AS client_status,
    cr.pid AS client_released_by_pid,
    CASE WHEN cr.seq IS NOT NULL
        THEN coalesce(cp.program, '[' || coalesce(cp.comm, cr.comm, 'unknown') || ']') END AS client_released_by,
    {server_released} AS server_released,
    CASE WHEN sr.seq IS NOT NULL THEN {server_reason} WHEN server_released THEN 'unseen' END AS server_reason,
    sr.status AS server_status,
    sr.pid AS server_released_by_pid,
    CASE WHEN sr.seq IS NOT NULL
        THEN coalesce(sp.program, '[' || coalesce(sp.comm, sr.comm, 'unknown') || ']') END AS server_released_by,
    -- Until both ends were released, or now; NULL where the release was not seen.
    (CASE WHEN client_released AND server_released THEN max(cr.at, sr.at) ELSE s.now END - opened) / 1e9 AS age_seconds,
    client_inode,
    server_inode,
    stage.listener,
    opener_start AS pid_start,
    opened AS opened_ns,
    accepted AS accepted_ns,
    cr.at AS client_released_ns,
    sr.at AS server_released_ns
FROM stage
JOIN session s
LEFT JOIN event cr ON cr.seq = client_release
LEFT JOIN event sr ON sr.seq = server_release
LEFT JOIN process op ON op.seq = {opener}
LEFT JOIN process ap ON ap.seq = {acceptor}
LEFT JOIN process cp ON cp.seq = {client_releaser}
LEFT JOIN process sp ON sp.seq = {server_releaser};

-- One row for each connect that failed.
CREATE VIEW attempt AS
SELECT
    {attempted} AS time,
    coalesce(
        e.place,
        (SELECT path FROM listener l WHERE l.listener = e.listener ORDER BY l.seq DESC LIMIT 1),
        CASE hex(substr(CAST(e.address AS BLOB), 1, 1))
            WHEN '00' THEN '@' || CAST(substr(e.address, 2) AS TEXT) ELSE e.address END
    ) AS path,
    {errno} AS error,
    e.pid AS pid,
    coalesce(p.program, '[' || coalesce(p.comm, e.comm, 'unknown') || ']') AS program,
    p.argv AS argv,
    p.user AS user,
    p.cgroup_path AS cgroup,
    e.queue_length AS queue_length,
    e.queue_max AS queue_max,
    e.errno AS errno,
    e.address AS address,
    e.listener AS listener,
    e.start AS pid_start,
    e.at AS time_ns
FROM event e
JOIN session s
LEFT JOIN process p ON p.seq = {attempter}
WHERE e.kind = 5;
