#!/bin/sh
# The measurements, in a VM with one processor. Each line `figure …` is one; xtask makes the tables.
# From the environment: PAIRS and WARM_UP, their numbers; MESSAGES, MESSAGES_WARM_UP and MESSAGE_BYTES, their numbers and
# size; RUNS, of each measurement; THEN, the program of an older revision, or nothing.
. /usr/lib/vm/wait
folder=/tmp/bench
socket=$folder/ma.sock
said=$folder/said
mkdir -p "$folder"

fail() {
    echo "bench: $*" >&2
    exit 1
}

# A kernel goes on booting for seconds, in workers that would take their share of the only processor. Nothing else may
# be ready to run, several times on end.
settle() {
    looks=0
    left=600
    while [ "$looks" -lt 5 ]; do
        read -r _ _ _ running _ </proc/loadavg
        case $running in
            1/*) looks=$((looks + 1)) ;;
            *) looks=0 ;;
        esac
        left=$((left - 1))
        [ "$left" = 0 ] && fail "the guest does not come to rest: $running processes are ready"
        sleep 0.1
    done
}

# measure CASE [ARGUMENTS OF pairs]
measure() {
    what=$1
    shift
    run=0
    while [ "$run" -lt "$RUNS" ]; do
        run=$((run + 1))
        line=$(pairs --socket "$socket" --pairs "$PAIRS" --warm-up "$WARM_UP" "$@") || fail "$what was not measured"
        echo "figure pairs case=$what $line"
    done
}

# measure_messages CASE [ARGUMENTS OF messages]
measure_messages() {
    what=$1
    shift
    run=0
    while [ "$run" -lt "$RUNS" ]; do
        run=$((run + 1))
        line=$(messages --socket "$socket" --messages "$MESSAGES" --warm-up "$MESSAGES_WARM_UP" \
            --bytes "$MESSAGE_BYTES" "$@") || fail "messages: $what was not measured"
        echo "figure messages case=$what $line"
    done
}

# What the kernel counted for each program since it was loaded.
programs() { bpf-stats | sed "s/^/figure program case=$1 /"; }

says() { grep -q "$1" "$said" || ! kill -0 "$tracer" 2>/dev/null; }

# start TEXT COMMAND: starts a tracer, which is ready when it has written TEXT.
start() {
    text=$1
    shift
    # There before it is looked for.
    : >"$said"
    "$@" >"$said" 2>"$folder/errors" &
    tracer=$!
    wait_for says "$text"
    is_alive
}

is_alive() { kill -0 "$tracer" 2>/dev/null || fail "the tracer ended: $(cat "$folder/errors" "$said")"; }

stop() {
    kill -INT "$tracer"
    wait "$tracer"
}

start_floor() {
    mkfifo "$folder/hold"
    : >"$said"
    floor <"$folder/hold" >"$said" 2>"$folder/errors" &
    tracer=$!
    exec 3>"$folder/hold"
    wait_for says ready
    is_alive
}

stop_floor() {
    exec 3>&-
    wait "$tracer"
    rm "$folder/hold"
}

# bpftrace says when it begins to attach, not when it is done: then a pair leaves all its lines.
start_bpftrace() {
    # Its own buffer of 64 pages loses events at this rate, and what it loses it need not print.
    export BPFTRACE_PERF_RB_PAGES=1024
    start Attaching bpftrace /etc/bench/question.bt
    wait_for answers
}

answers() {
    pairs --socket "$socket" --pairs 1 --warm-up 0 >/dev/null || fail "no pair can be made"
    is_alive
    grep -q ^connect "$said" && grep -q ^release "$said"
}

match=ma.sock
# Of another length than the socket's name, which is the rule; and of the same, when the name has to be looked up.
other=haproxy-admin.sock
alike=mb.sock

# lines_of NUMBER: sets `lines` to how many lines the tracer writes about a process that makes so many pairs.
lines_of() {
    pairs --socket "$socket" --pairs "$1" --warm-up 0 >/dev/null &
    maker=$!
    wait "$maker" || fail "no pair can be made"
    # Idle time passes at once.
    sleep 2
    lines=$(grep -Ec "(^|[[:space:]])$maker([[:space:]]|\$)" "$said")
}

# Sets `lines` to how many lines the tracer writes about a pair: revisions differ. Of the process, there may be further ones.
count_lines() {
    lines_of 1
    one=$lines
    lines_of 2
    lines=$((lines - one))
    [ "$lines" -gt 0 ] || fail "the tracer wrote no line about a pair: $(cat "$folder/errors" "$said")"
}

# pair_cases PROGRAM [SUFFIX]: pairs while that sockleak traces. The suffix is added to the names of the cases.
pair_cases() {
    start TIME "$1" capture $other
    measure "other$2" --tracer "$tracer"
    measure "other-kernel$2" --tracer "$tracer" --stop-for 250
    stop
    start TIME "$1" capture $alike
    measure "alike$2" --tracer "$tracer"
    measure "alike-kernel$2" --tracer "$tracer" --stop-for 250
    stop
    start TIME "$1" capture $match
    count_lines
    measure "match$2" --tracer "$tracer" --said "$said" --lines "$lines"
    measure "match-kernel$2" --tracer "$tracer" --said "$said" --lines "$lines" --stop-for 250
    stop
    grep -q INCOMPLETE "$said" && fail "$1 lost events: $(grep -A3 INCOMPLETE "$said")"
}

# message_case CASE COMMAND: messages while that sockleak is attached and stopped. It has nothing to do for a message, and
# what it does now and then would weigh more than the messages.
message_case() {
    what=$1
    shift
    start TIME "$@"
    measure_messages "$what" --stop "$tracer"
    stop
}

# message_cases PROGRAM [SUFFIX]: messages with each setting of --use. With `auto` no connection that the program follows
# grows old: the hooks are there and not armed.
message_cases() {
    message_case "off$2" "$1" capture --use off $match
    message_case "unarmed$2" "$1" capture --use auto --leak-age 24h $other
    message_case "armed-other$2" "$1" capture --use on $other
    message_case "armed-match$2" "$1" capture --use on $match
}

echo "figure bpftrace $(bpftrace --version)"
settle
measure none
measure_messages none
start_floor
measure floor
measure_messages floor
stop_floor
pair_cases sockleak
message_cases sockleak
if [ -n "$THEN" ]; then
    pair_cases "$THEN" -then
    # Older revisions do not watch messages.
    "$THEN" capture --help | grep -q -e '--use ' && message_cases "$THEN" -then
fi
start_bpftrace
measure bpftrace --tracer "$tracer" --said "$said" --lines 3
stop
grep -q Lost "$said" "$folder/errors" && fail "bpftrace lost events"

# The kernel's counting costs too, so it comes after what it would have made dearer.
echo 1 >/proc/sys/kernel/bpf_stats_enabled
RUNS=1
start_floor
measure counted-floor
programs floor
stop_floor
start TIME sockleak capture $other
measure counted-other --tracer "$tracer"
programs other
stop
start TIME sockleak capture $alike
measure counted-alike --tracer "$tracer"
programs alike
stop
start TIME sockleak capture $match
count_lines
measure counted-match --tracer "$tracer" --said "$said" --lines "$lines"
programs match
stop
start_bpftrace
measure counted-bpftrace --tracer "$tracer" --said "$said" --lines 3
programs bpftrace
stop
echo 0 >/proc/sys/kernel/bpf_stats_enabled

for _ in 1 2 3; do
    line=$(timed --until-line -- sockleak capture --json ma.sock 2>/dev/null) || fail "no session line"
    echo "figure start case=capture $line"
    line=$(timed -- sockleak check) || fail "sockleak check failed"
    echo "figure start case=check $line"
done
