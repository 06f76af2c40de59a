/* A shared file system as seen from a batch node: read-only, every question costs a round trip.
 *
 *     shared_disk SOURCE MICROSECONDS MOUNTPOINT
 *
 * Sleeps before getattr, readlink, open, read and readdir, as a client does that waits for its
 * server; keeps no data between opens, and attributes for three seconds, which are the defaults
 * of NFS. Runs in the foreground, prints the number of questions when it is unmounted.
 */
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char source[PATH_MAX];
static useconds_t pause_us;
static atomic_long questions;

static void ask(const char *path, char *real) {
    snprintf(real, PATH_MAX, "%.2000s%.2000s", source, path);
    questions++;
    usleep(pause_us);
}

static int do_getattr(const char *path, struct stat *st, struct fuse_file_info *fi) {
    char real[PATH_MAX];
    (void)fi;
    ask(path, real);
    return lstat(real, st) ? -errno : 0;
}

static int do_readlink(const char *path, char *out, size_t size) {
    char real[PATH_MAX];
    ask(path, real);
    ssize_t n = readlink(real, out, size - 1);
    if (n < 0) return -errno;
    out[n] = 0;
    return 0;
}

static int do_open(const char *path, struct fuse_file_info *fi) {
    char real[PATH_MAX];
    ask(path, real);
    int fd = open(real, O_RDONLY);
    if (fd < 0) return -errno;
    fi->fh = fd;
    fi->keep_cache = 0;
    return 0;
}

static int do_read(const char *path, char *out, size_t size, off_t at, struct fuse_file_info *fi) {
    (void)path;
    questions++;
    usleep(pause_us);
    ssize_t n = pread(fi->fh, out, size, at);
    return n < 0 ? -errno : (int)n;
}

static int do_release(const char *path, struct fuse_file_info *fi) {
    (void)path;
    close(fi->fh);
    return 0;
}

static int do_readdir(const char *path, void *out, fuse_fill_dir_t fill, off_t at,
                      struct fuse_file_info *fi, enum fuse_readdir_flags flags) {
    char real[PATH_MAX];
    (void)at, (void)fi, (void)flags;
    ask(path, real);
    DIR *folder = opendir(real);
    if (!folder) return -errno;
    for (struct dirent *one; (one = readdir(folder));) fill(out, one->d_name, NULL, 0, 0);
    closedir(folder);
    return 0;
}

static void *do_init(struct fuse_conn_info *connection, struct fuse_config *config) {
    (void)connection;
    config->kernel_cache = 0;
    config->attr_timeout = config->entry_timeout = config->negative_timeout = 3;
    return NULL;
}

static const struct fuse_operations operations = {
    .init = do_init,
    .getattr = do_getattr,
    .readlink = do_readlink,
    .open = do_open,
    .read = do_read,
    .release = do_release,
    .readdir = do_readdir,
};

int main(int argc, char **argv) {
    if (argc != 4 || !realpath(argv[1], source)) {
        fprintf(stderr, "usage: shared_disk SOURCE MICROSECONDS MOUNTPOINT\n");
        return 2;
    }
    pause_us = (useconds_t)atoi(argv[2]);
    char *words[] = {argv[0], "-f", "-o", "ro", argv[3], NULL};
    int code = fuse_main(5, words, &operations, NULL);
    printf("%ld\n", questions);
    return code;
}
