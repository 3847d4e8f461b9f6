# Read by the scripts of guests: `. /usr/lib/vm/wait`.

# Waits for a condition, a command, for at most 60 s.
wait_for() {
    left=600
    until "$@"; do
        left=$((left - 1))
        if [ "$left" = 0 ]; then
            echo "${0##*/}: waited in vain for: $*" >&2
            exit 1
        fi
        sleep 0.1
    done
}
