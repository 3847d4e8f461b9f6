# What a user does first. $1 is the version that has to answer.
set -e
test "$(sockleak --version)" = "sockleak $1"
sockleak --version
# From a file, with no rights and no kernel side.
sockleak report /trial/recording.db > /tmp/report
grep -q 'postgres' /tmp/report
# Of this kernel, through sock_diag.
sockleak list > /tmp/list
test -s /tmp/list
# A kernel that cannot be traced is a result, too.
sockleak check > /tmp/check || test $? -eq 3 || test $? -eq 4
test -s /tmp/check
sockleak completions bash > /tmp/completions
