"""Which functions of libc can fail, and whether faults.c knows them."""

import re
import subprocess

# They compute, look at our own memory, or cannot fail; stdio and the rest of
# libc calls the kernel from within, which nobody sees here.
HARMLESS = frozenset("""
_exit abort arc4random arc4random_buf asprintf clock_gettime closedir dirfd
dirname dl_iterate_phdr dlsym exit fclose ferror fflush fgets fopen64 fprintf
fputc fread free freeaddrinfo freeifaddrs fwrite gai_strerror getegid getenv geteuid
getgid gethostname getnameinfo getopt_long getpid getppid getprotobynumber
getrusage getservbyname getservbyport_r gettimeofday getuid globfree gmtime_r inet_ntop
inet_pton isatty kill lseek localtime_r malloc_usable_size mallopt memchr memcmp memcpy memmem memmove
memrchr memset munmap optarg opterr optind perror printf pthread_attr_destroy
pthread_attr_init pthread_attr_setdetachstate pthread_join
pthread_mutex_destroy pthread_mutex_init pthread_mutex_lock
pthread_mutex_unlock pthread_self pthread_setname_np pthread_sigmask puts qsort rand random readdir sendfile
setvbuf sigaction sigaddset sigaltstack sigdelset sigemptyset sigfillset signal sigprocmask snprintf sprintf
stderr stdout stpcpy strcasecmp strchr strchrnul strcmp strcpy strcspn strerror
strerrordesc_np strftime strlen strncasecmp strncmp strncpy strnlen strpbrk
strcasestr strrchr strsep strspn strstr strtod strtok_r strtol strtoll strtoul sysconf
time timerfd_settime tzset umask unsetenv vasprintf vfprintf vsnprintf
""".split())

# Those of libseccomp are for a sandbox that no build with sanitizers has.
OTHERS = re.compile(r"_|ev|EVUTIL_|bufferevent_|ini_|ares_|"
                    "SSL_|TLS_|ERR_|OpenSSL_|seccomp_")


def symbols(path, which):
    out = subprocess.run(["nm", "-D", which, path], text=True,
                         capture_output=True).stdout
    return {line.split()[-1].partition("@")[0] for line in out.splitlines()}


def unknown(binary):
    """Functions that the executable or our libraries call, and of which it
    was never said whether they can fail."""
    libraries = re.findall(r"=> (\S*lib(?:event|inih|cares)\S*)", subprocess.run(
        ["ldd", binary], text=True, capture_output=True).stdout)
    called = set()
    for path in [binary, *libraries]:
        called |= symbols(path, "--undefined-only")
    return sorted(name for name in
                  called - symbols(binary, "--defined-only") - HARMLESS
                  if not OTHERS.match(name))
