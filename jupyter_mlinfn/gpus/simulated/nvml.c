/* A stand-in for NVIDIA's libnvidia-ml.so.1, driven by a text file.
 *
 * It answers the calls this package makes (and the one it must never make) through the real
 * nvidia-ml-py. The file named by MLINFN_NVML_STATE is read again whenever it was replaced, so
 * a MIG layout, a lost card or a refused parent can change between two calls. If
 * MLINFN_NVML_CALLS names a file, every call is counted there (64-byte rows: name, count), so
 * that a test can count the calls of another process.
 *
 * One line a thing, `kind key=value …`, a `_` in a name stands for a space:
 *   system  driver= nvml= cuda= init=<nvmlReturn of nvmlInit> latency_us= pcie_ms= generation=
 *   gpu     uuid= name= memory_mib= used_mib= util= power_mw= limit_mw= temperature= energy_mj=
 *           since=<epoch: energy grows with the power from then> mig=0|1 gpm=0|1 lost=0|1 hang=0|1
 *           refused=0|1 (NO_PERMISSION, as in a container with one slice only) hidden=0|1 (no PIDs)
 *   mig     gpu= slot= uuid= gi= ci= name= memory_mib= used_mib= slices= util= (GPM, percent)
 *   process gpu= gi=<-1: whole card> pid= memory_mib=<-1: not available> graphics=0|1
 * A handle of an instance means (card, slot): after a repartition the same handle is another
 * instance, as with the real library. A new `generation` invalidates what nvmlInit gave out.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define API __attribute__((visibility("default"))) int
#define MAX_GPUS 32
#define MAX_SLOTS 8
#define MAX_PROCESSES 1024
#define MAX_COUNTERS 96

enum { OK = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4,
       NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, GPU_IS_LOST = 15 };

typedef unsigned long long u64;
typedef uintptr_t handle_t;

struct instance { int present, gi, ci, slices; double util; u64 memory, used; char uuid[96], name[96]; };
struct gpu {
    char uuid[96], name[96];
    u64 memory, used, energy_mj;
    double since;
    int util, power_mw, limit_mw, temperature, mig, gpm, lost, hang, refused, hidden;
    struct instance slots[MAX_SLOTS];
};
struct process { int gpu, gi, pid, graphics; long long memory_mib; };
struct state {
    char driver[80], nvml[80];
    int cuda, init, latency_us, pcie_ms, generation, gpus, processes;
    struct gpu gpu[MAX_GPUS];
    struct process process[MAX_PROCESSES];
};
struct counter { char name[56]; u64 count; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct state now;
static struct stat seen;
static int initialised, generation;
static struct counter *counters;

/* ---- the state file --------------------------------------------------------------------- */

static const char *value_of(const char *line, const char *key, char *out, size_t size) {
    char wanted[48];
    snprintf(wanted, sizeof wanted, " %s=", key);
    const char *found = strstr(line, wanted);
    if (!found) return NULL;
    found += strlen(wanted);
    size_t length = strcspn(found, " \n");
    if (length >= size) length = size - 1;
    memcpy(out, found, length);
    out[length] = 0;
    return out;
}

static double number(const char *line, const char *key, double otherwise) {
    char text[64];
    return value_of(line, key, text, sizeof text) ? atof(text) : otherwise;
}

static void words(const char *line, const char *key, char *out, size_t size) {
    if (!value_of(line, key, out, size)) out[0] = 0;
    for (char *c = out; *c; c++) if (*c == '_') *c = ' ';
}

static void read_system(const char *line) {
    words(line, "driver", now.driver, sizeof now.driver);
    words(line, "nvml", now.nvml, sizeof now.nvml);
    now.cuda = number(line, "cuda", 12080);
    now.init = number(line, "init", 0);
    now.latency_us = number(line, "latency_us", 0);
    now.pcie_ms = number(line, "pcie_ms", 20);
    now.generation = number(line, "generation", 0);
}

static void read_gpu(const char *line) {
    if (now.gpus == MAX_GPUS) return;
    struct gpu *gpu = &now.gpu[now.gpus++];
    words(line, "uuid", gpu->uuid, sizeof gpu->uuid);
    words(line, "name", gpu->name, sizeof gpu->name);
    gpu->memory = (u64)number(line, "memory_mib", 0) << 20;
    gpu->used = (u64)number(line, "used_mib", 0) << 20;
    gpu->util = number(line, "util", -1);
    gpu->power_mw = number(line, "power_mw", -1);
    gpu->limit_mw = number(line, "limit_mw", -1);
    gpu->temperature = number(line, "temperature", -1);
    gpu->energy_mj = number(line, "energy_mj", 0);
    gpu->since = number(line, "since", 0);
    gpu->mig = number(line, "mig", 0);
    gpu->gpm = number(line, "gpm", 0);
    gpu->lost = number(line, "lost", 0);
    gpu->hang = number(line, "hang", 0);
    gpu->refused = number(line, "refused", 0);
    gpu->hidden = number(line, "hidden", 0);
}

static void read_instance(const char *line) {
    int at = number(line, "gpu", -1), slot = number(line, "slot", -1);
    if (at < 0 || at >= MAX_GPUS || slot < 0 || slot >= MAX_SLOTS) return;
    struct instance *one = &now.gpu[at].slots[slot];
    one->present = 1;
    one->gi = number(line, "gi", slot);
    one->ci = number(line, "ci", 0);
    one->slices = number(line, "slices", 1);
    one->util = number(line, "util", -1);
    one->memory = (u64)number(line, "memory_mib", 0) << 20;
    one->used = (u64)number(line, "used_mib", 0) << 20;
    words(line, "uuid", one->uuid, sizeof one->uuid);
    words(line, "name", one->name, sizeof one->name);
}

static void read_process(const char *line) {
    if (now.processes == MAX_PROCESSES) return;
    struct process *one = &now.process[now.processes++];
    one->gpu = number(line, "gpu", 0);
    one->gi = number(line, "gi", -1);
    one->pid = number(line, "pid", 0);
    one->graphics = number(line, "graphics", 0);
    one->memory_mib = number(line, "memory_mib", 0);
}

static void reload(void) {
    const char *path = getenv("MLINFN_NVML_STATE");
    struct stat info;
    if (!path || stat(path, &info)) return;
    if (info.st_ino == seen.st_ino && info.st_size == seen.st_size &&
        info.st_mtim.tv_sec == seen.st_mtim.tv_sec && info.st_mtim.tv_nsec == seen.st_mtim.tv_nsec)
        return;
    FILE *file = fopen(path, "re");
    if (!file) return;
    seen = info;
    memset(&now, 0, sizeof now);
    char line[1024];
    while (fgets(line, sizeof line, file)) {
        if (!strncmp(line, "system ", 7)) read_system(line);
        else if (!strncmp(line, "gpu ", 4)) read_gpu(line);
        else if (!strncmp(line, "mig ", 4)) read_instance(line);
        else if (!strncmp(line, "process ", 8)) read_process(line);
    }
    fclose(file);
}

/* ---- what every call does first ---------------------------------------------------------- */

static void count(const char *name) {
    if (!counters) {
        const char *path = getenv("MLINFN_NVML_CALLS");
        if (!path) return;
        size_t size = MAX_COUNTERS * sizeof(struct counter);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) return;
        void *map = MAP_FAILED;
        if (!ftruncate(fd, size)) map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (map == MAP_FAILED) return;
        counters = map;
    }
    for (int i = 0; i < MAX_COUNTERS; i++) {
        if (!counters[i].name[0]) strncpy(counters[i].name, name, sizeof counters[i].name - 1);
        if (!strcmp(counters[i].name, name)) { counters[i].count++; return; }
    }
}

static void pause_us(long us) {
    struct timespec span = { us / 1000000, us % 1000000 * 1000 };
    nanosleep(&span, NULL);
}

/* Locks; the caller unlocks by leave(). Returns what the call must answer before anything else. */
static int enter(const char *name) {
    pthread_mutex_lock(&lock);
    count(name);
    reload();
    int latency = now.latency_us;
    if (latency) {
        pthread_mutex_unlock(&lock);
        pause_us(latency);
        pthread_mutex_lock(&lock);
    }
    return initialised && generation == now.generation ? OK : UNINITIALIZED;
}

static int leave(int answer) {
    pthread_mutex_unlock(&lock);
    return answer;
}

static handle_t handle_of(int gpu, int slot) { return ((handle_t)(gpu + 1) << 8) | (slot + 1); }
static struct gpu *gpu_of(handle_t h) {
    int at = (int)(h >> 8) - 1;
    return at >= 0 && at < now.gpus ? &now.gpu[at] : NULL;
}
static struct instance *instance_of(handle_t h) {
    int slot = (int)(h & 255) - 1;
    struct gpu *gpu = gpu_of(h);
    return gpu && slot >= 0 && slot < MAX_SLOTS && gpu->slots[slot].present ? &gpu->slots[slot] : NULL;
}
static int is_instance(handle_t h) { return (h & 255) != 0; }

/* As enter(), for a call on a device: waits while it hangs, answers for a lost or gone one. */
static int enter_device(const char *name, handle_t h) {
    int answer = enter(name);
    if (answer) return answer;
    struct gpu *gpu = gpu_of(h);
    while (gpu && gpu->hang) {
        pthread_mutex_unlock(&lock);
        pause_us(20000);
        pthread_mutex_lock(&lock);
        reload();
        gpu = gpu_of(h);
    }
    if (!gpu) return INVALID_ARGUMENT;
    if (gpu->lost) return GPU_IS_LOST;
    if (is_instance(h) && !(gpu->mig && instance_of(h))) return NOT_FOUND;
    return OK;
}

#define DEVICE(h) do { int early = enter_device(__func__, h); if (early) return leave(early); } while (0)
/* Values of the parent only: refused in a container that holds one slice, absent on an instance. */
#define PARENT(h) do { DEVICE(h); if (is_instance(h)) return leave(NOT_SUPPORTED); \
    if (gpu_of(h)->refused) return leave(NO_PERMISSION); } while (0)

static int text(const char *from, char *to, unsigned length) {
    if (strlen(from) >= length) return INSUFFICIENT_SIZE;
    strcpy(to, from);
    return OK;
}
static int integer(int from, unsigned *to) {
    if (from < 0) return NOT_SUPPORTED;
    *to = from;
    return OK;
}
static u64 energy(const struct gpu *gpu) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    double seconds = gpu->since ? t.tv_sec + t.tv_nsec / 1e9 - gpu->since : 0;
    return gpu->energy_mj + (u64)(seconds > 0 && gpu->power_mw > 0 ? seconds * gpu->power_mw : 0);
}

/* ---- system ------------------------------------------------------------------------------ */

API nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    enter(__func__);
    if (now.init) return leave(now.init);
    initialised++;
    generation = now.generation;
    return leave(OK);
}
API nvmlShutdown(void) { enter(__func__); if (initialised) initialised--; return leave(OK); }
__attribute__((visibility("default"))) const char *nvmlErrorString(int code) {
    (void)code;
    return "error of the stand-in library";
}
API nvmlSystemGetDriverVersion(char *to, unsigned n) {
    int early = enter(__func__);
    return leave(early ? early : text(now.driver, to, n));
}
API nvmlSystemGetNVMLVersion(char *to, unsigned n) { enter(__func__); return leave(text(now.nvml, to, n)); }
API nvmlSystemGetCudaDriverVersion_v2(int *to) { enter(__func__); *to = now.cuda; return leave(OK); }
API nvmlDeviceGetCount_v2(unsigned *to) {
    int early = enter(__func__);
    *to = now.gpus;
    return leave(early);
}
API nvmlDeviceGetHandleByIndex_v2(unsigned at, handle_t *to) {
    int early = enter(__func__);
    if (early) return leave(early);
    if ((int)at >= now.gpus) return leave(INVALID_ARGUMENT);
    *to = handle_of(at, -1);
    return leave(OK);
}

/* ---- identity and MIG -------------------------------------------------------------------- */

API nvmlDeviceGetUUID(handle_t h, char *to, unsigned n) {
    DEVICE(h);
    return leave(text(is_instance(h) ? instance_of(h)->uuid : gpu_of(h)->uuid, to, n));
}
API nvmlDeviceGetName(handle_t h, char *to, unsigned n) {
    DEVICE(h);
    return leave(text(is_instance(h) ? instance_of(h)->name : gpu_of(h)->name, to, n));
}
API nvmlDeviceGetMigMode(handle_t h, unsigned *current, unsigned *pending) {
    DEVICE(h);
    *current = *pending = gpu_of(h)->mig > 0;
    return leave(gpu_of(h)->mig < 0 ? NOT_SUPPORTED : OK);
}
API nvmlDeviceGetMaxMigDeviceCount(handle_t h, unsigned *to) {
    DEVICE(h);
    *to = gpu_of(h)->mig > 0 ? 7 : 0;
    return leave(OK);
}
API nvmlDeviceGetMigDeviceHandleByIndex(handle_t h, unsigned at, handle_t *to) {
    DEVICE(h);
    if (at >= MAX_SLOTS || !gpu_of(h)->slots[at].present) return leave(NOT_FOUND);
    *to = h | (at + 1);
    return leave(OK);
}
API nvmlDeviceGetGpuInstanceId(handle_t h, unsigned *to) {
    DEVICE(h);
    return leave(is_instance(h) ? integer(instance_of(h)->gi, to) : NOT_SUPPORTED);
}
API nvmlDeviceGetComputeInstanceId(handle_t h, unsigned *to) {
    DEVICE(h);
    return leave(is_instance(h) ? integer(instance_of(h)->ci, to) : NOT_SUPPORTED);
}
struct attributes { unsigned sm, copy, decoder, encoder, jpeg, ofa, gi_slices, ci_slices; u64 memory_mb; };
API nvmlDeviceGetAttributes_v2(handle_t h, struct attributes *to) {
    DEVICE(h);
    if (!is_instance(h)) return leave(NOT_SUPPORTED);
    memset(to, 0, sizeof *to);
    to->gi_slices = to->ci_slices = instance_of(h)->slices;
    to->sm = 14 * to->gi_slices;
    to->memory_mb = instance_of(h)->memory >> 20;
    return leave(OK);
}

/* ---- values ------------------------------------------------------------------------------ */

struct memory { u64 total, free, used; };
API nvmlDeviceGetMemoryInfo(handle_t h, struct memory *to) {
    DEVICE(h);
    if (!is_instance(h) && gpu_of(h)->refused) return leave(NO_PERMISSION);
    to->total = is_instance(h) ? instance_of(h)->memory : gpu_of(h)->memory;
    to->used = is_instance(h) ? instance_of(h)->used : gpu_of(h)->used;
    to->free = to->total - to->used;
    return leave(OK);
}
struct memory2 { unsigned version; u64 total, reserved, free, used; };
API nvmlDeviceGetMemoryInfo_v2(handle_t h, struct memory2 *to) {
    DEVICE(h);
    if (!is_instance(h) && gpu_of(h)->refused) return leave(NO_PERMISSION);
    to->total = is_instance(h) ? instance_of(h)->memory : gpu_of(h)->memory;
    to->used = is_instance(h) ? instance_of(h)->used : gpu_of(h)->used;
    to->reserved = 0;
    to->free = to->total - to->used;
    return leave(OK);
}
struct utilisation { unsigned gpu, memory; };
API nvmlDeviceGetUtilizationRates(handle_t h, struct utilisation *to) {
    PARENT(h);
    if (gpu_of(h)->mig > 0) return leave(NOT_SUPPORTED);
    to->memory = 0;
    return leave(integer(gpu_of(h)->util, &to->gpu));
}
API nvmlDeviceGetPowerUsage(handle_t h, unsigned *to) { PARENT(h); return leave(integer(gpu_of(h)->power_mw, to)); }
API nvmlDeviceGetEnforcedPowerLimit(handle_t h, unsigned *to) { PARENT(h); return leave(integer(gpu_of(h)->limit_mw, to)); }
API nvmlDeviceGetTemperature(handle_t h, int sensor, unsigned *to) {
    (void)sensor;
    PARENT(h);
    return leave(integer(gpu_of(h)->temperature, to));
}
struct temperature { unsigned version; int sensor, celsius; };
API nvmlDeviceGetTemperatureV(handle_t h, struct temperature *to) {
    PARENT(h);
    to->celsius = gpu_of(h)->temperature;
    return leave(to->celsius < 0 ? NOT_SUPPORTED : OK);
}
struct field { uint32_t id, scope; int64_t at, latency; int type, answer; union { double d; unsigned u; u64 n; } value; };
API nvmlDeviceGetFieldValues(handle_t h, int n, struct field *to) {
    PARENT(h);
    struct gpu *gpu = gpu_of(h);
    for (int i = 0; i < n; i++) {
        to[i].answer = OK;
        to[i].value.n = 0;
        if (to[i].id == 83) to[i].type = 3, to[i].value.n = energy(gpu);
        else if (to[i].id == 186 || to[i].id == 185) to[i].type = 1, to[i].answer = integer(gpu->power_mw, &to[i].value.u);
        else if (to[i].id == 197 || to[i].id == 198) to[i].type = 3, to[i].value.n = energy(gpu) * 64;
        else to[i].answer = NOT_SUPPORTED;
    }
    return leave(OK);
}
API nvmlDeviceGetTotalEnergyConsumption(handle_t h, u64 *to) { PARENT(h); *to = energy(gpu_of(h)); return leave(OK); }
/* The call that blocks for its counter window: nobody may make it (20 ms with the real one). */
API nvmlDeviceGetPcieThroughput(handle_t h, int counter, unsigned *to) {
    (void)counter;
    PARENT(h);
    int ms = now.pcie_ms;
    *to = 1000;
    leave(OK);
    pause_us(ms * 1000L);
    return OK;
}

/* Asked by other programs when they start; ours asks neither. */
API nvmlDeviceGetMaxPcieLinkGeneration(handle_t h, unsigned *to) { PARENT(h); *to = 4; return leave(OK); }
API nvmlDeviceGetNvLinkVersion(handle_t h, unsigned link, unsigned *to) {
    (void)link, (void)to;
    PARENT(h);
    return leave(NOT_SUPPORTED);
}

/* ---- processes --------------------------------------------------------------------------- */

struct listed { unsigned pid; u64 memory; unsigned gi, ci; };
static int list(handle_t h, int graphics, unsigned *n, struct listed *to) {
    struct gpu *gpu = gpu_of(h);
    struct instance *one = is_instance(h) ? instance_of(h) : NULL;
    if (!one && gpu->refused) return NO_PERMISSION;
    unsigned found = 0, room = *n;
    for (int i = 0; i < now.processes && !gpu->hidden; i++) {
        struct process *p = &now.process[i];
        if (&now.gpu[p->gpu] != gpu || p->graphics != graphics || (one && p->gi != one->gi)) continue;
        if (to && found < room) {
            u64 memory = p->memory_mib < 0 ? ~0ULL : (u64)p->memory_mib << 20;
            to[found] = (struct listed){ p->pid, memory, p->gi < 0 ? ~0U : (unsigned)p->gi, 0 };
        }
        found++;
    }
    *n = found;
    return found > room ? INSUFFICIENT_SIZE : OK;
}
#define LISTS(name, graphics) \
    API name(handle_t h, unsigned *n, struct listed *to) { DEVICE(h); return leave(list(h, graphics, n, to)); }
LISTS(nvmlDeviceGetComputeRunningProcesses_v3, 0)
LISTS(nvmlDeviceGetComputeRunningProcesses_v2, 0)
LISTS(nvmlDeviceGetGraphicsRunningProcesses_v3, 1)
LISTS(nvmlDeviceGetGraphicsRunningProcesses_v2, 1)

/* ---- GPM (activity of an instance; Hopper and later) ------------------------------------- */

struct support { unsigned version, supported; };
API nvmlGpmQueryDeviceSupport(handle_t h, struct support *to) {
    PARENT(h);
    to->supported = gpu_of(h)->gpm > 0;
    return leave(OK);
}
struct sample { double util; int taken; };
API nvmlGpmSampleAlloc(struct sample **to) {
    enter(__func__);
    *to = calloc(1, sizeof **to);
    return leave(OK);
}
API nvmlGpmSampleFree(struct sample *s) { enter(__func__); free(s); return leave(OK); }
static int take(struct gpu *gpu, double util, struct sample *s) {
    if (!gpu->gpm) return NOT_SUPPORTED;
    s->util = util;
    s->taken = 1;
    return OK;
}
API nvmlGpmSampleGet(handle_t h, struct sample *s) { PARENT(h); return leave(take(gpu_of(h), gpu_of(h)->util, s)); }
API nvmlGpmMigSampleGet(handle_t h, unsigned gi, struct sample *s) {
    DEVICE(h);
    for (int i = 0; i < MAX_SLOTS; i++) {
        struct instance *one = &gpu_of(h)->slots[i];
        if (one->present && one->gi == (int)gi) return leave(take(gpu_of(h), one->util, s));
    }
    return leave(NOT_FOUND);
}
struct metric { unsigned id; int answer; double value; const char *names[3]; };
struct metrics { unsigned version, n; struct sample *first, *second; struct metric metric[]; };
API nvmlGpmMetricsGet(struct metrics *to) {
    int early = enter(__func__);
    if (early) return leave(early);
    if (!to->first->taken || !to->second->taken) return leave(INVALID_ARGUMENT);
    for (unsigned i = 0; i < to->n; i++) {
        to->metric[i].value = to->second->util;
        to->metric[i].answer = to->second->util < 0 ? NOT_SUPPORTED : OK;
    }
    return leave(OK);
}
