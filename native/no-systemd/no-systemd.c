/*
 * Stands in for libsystemd.so.0 where crun is asked for nothing that concerns systemd. Debian links it to that library, and so to
 * gcrypt, lzma, zstd, lz4 and gpg-error, which the loader maps and relocates at every start of every container. A call says that
 * there is no bus; src/daemon/light-runtimes.ts decides where this is used.
 */
#include <errno.h>
#include <stddef.h>

#define NO_BUS(name) \
  int name(void);    \
  int name(void) { return -ENOSYS; }
#define NOTHING(name)  \
  void *name(void);    \
  void *name(void) { return NULL; }
#define NOBODY_LISTENS(name) \
  int name(void);            \
  int name(void) { return 0; }

NO_BUS(sd_bus_call)
NO_BUS(sd_bus_default_system)
NO_BUS(sd_bus_default_user)
NO_BUS(sd_bus_error_get_errno)
NO_BUS(sd_bus_match_signal_async)
NO_BUS(sd_bus_message_append)
NO_BUS(sd_bus_message_append_strv)
NO_BUS(sd_bus_message_close_container)
NO_BUS(sd_bus_message_new_method_call)
NO_BUS(sd_bus_message_open_container)
NO_BUS(sd_bus_message_read)
NO_BUS(sd_bus_open)
NO_BUS(sd_bus_open_system)
NO_BUS(sd_bus_open_user)
NO_BUS(sd_bus_process)
NO_BUS(sd_bus_wait)
NO_BUS(sd_journal_send_with_location)
NOTHING(sd_bus_error_free)
NOTHING(sd_bus_message_unref)
NOTHING(sd_bus_unref)
NOBODY_LISTENS(sd_notify)
NOBODY_LISTENS(sd_notify_barrier)
