/* Opens three connections and keeps them: built without frame pointers, and with one function put into another. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static inline __attribute__((always_inline)) int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) { /* here: dial */
        perror("connect");
        return -1;
    }
    return fd;
}

__attribute__((noinline)) int query_status(const char *path)
{
    int fd = dial(path); /* here: query_status */
    return write(fd, "x", 1) == 1 ? fd : -1;
}

int main(int count, char **arguments)
{
    for (int i = 0; count > 1 && i < 3; i++) {
        query_status(arguments[1]);
    }
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}
