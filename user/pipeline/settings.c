/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/change.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

void settings_init(struct settings *settings)
{
	memset(settings, 0, sizeof(*settings));
	for (size_t i = 0; i < PIPELINE_TARGETS_MAX; i++)
		settings->target_fds[i] = -1;
}

void settings_clear(struct settings *settings)
{
	for (size_t i = 0; i < PIPELINE_TARGETS_MAX; i++)
		cleanup_close(&settings->target_fds[i]);
	credentials_clear(&settings->credentials);
	config_clear(&settings->config);
}

void settings_change(struct settings *settings, struct settings *wanted)
{
	struct settings before = *settings;

	config_change(&settings->config, &wanted->config);
	settings->credentials = wanted->credentials;
	settings->reloads = wanted->reloads;
	memcpy(settings->target_fds, wanted->target_fds, sizeof(settings->target_fds));
	memcpy(settings->needs_restart, wanted->needs_restart, sizeof(settings->needs_restart));
	wanted->credentials = before.credentials;
	memcpy(wanted->target_fds, before.target_fds, sizeof(wanted->target_fds));
}

/* Which of the targets have a descriptor, in the order of these. */
static int pack(const struct settings *settings, int fd)
{
	_cleanup_fclose_ FILE *out = fdopen(dup(fd), "w");

	if (!out)
		return -errno;
	/* a buffer would keep a key */
	setvbuf(out, NULL, _IONBF, 0);
	for (size_t i = 0; i < PIPELINE_TARGETS_MAX; i++)
		fputc(settings->target_fds[i] >= 0 ? 1 : 0, out);
	fwrite(&settings->reloads, sizeof(settings->reloads), 1, out);
	fwrite(settings->needs_restart, sizeof(settings->needs_restart), 1, out);
	if (config_pack(&settings->config, out) < 0 ||
	    credentials_pack(&settings->credentials, out) < 0)
		return -EIO;
	return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

int settings_send(const struct settings *settings, int channel, struct channel_message *message)
{
	_cleanup_close_ int file = memfd_create("weft-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int fds[1 + PIPELINE_TARGETS_MAX] = { file };
	size_t n = 1;
	int r;

	if (file < 0)
		return -errno;
	r = pack(settings, file);
	if (r < 0)
		return r;
	for (size_t i = 0; i < PIPELINE_TARGETS_MAX; i++)
		if (settings->target_fds[i] >= 0)
			fds[n++] = settings->target_fds[i];
	channel_message_init(message, CHANNEL_RELOAD, 0);
	return channel_send_fds(channel, message, fds, n);
}

/* Says by -EBADMSG that there are not as many descriptors as the file speaks of. */
static int take_targets(struct settings *settings, struct cursor *cursor, int *fds, size_t n)
{
	struct view flags;
	size_t used = 0;

	if (cursor_take(cursor, PIPELINE_TARGETS_MAX, &flags) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < PIPELINE_TARGETS_MAX; i++) {
		if (!flags.data[i])
			continue;
		if (used == n)
			return -EBADMSG;
		settings->target_fds[i] = TAKE_FD(fds[used]);
		used++;
	}
	return used == n ? 0 : -EBADMSG;
}

static int take_bytes(struct cursor *cursor, void *bytes, size_t size)
{
	struct view taken;

	if (cursor_take(cursor, size, &taken) < 0)
		return -EBADMSG;
	memcpy(bytes, taken.data, size);
	return 0;
}

static int unpack(struct settings *settings, struct view bytes, int *fds, size_t n)
{
	struct cursor cursor = cursor_of(bytes);
	int r = take_targets(settings, &cursor, fds, n);

	if (r == 0)
		r = take_bytes(&cursor, &settings->reloads, sizeof(settings->reloads));
	if (r == 0)
		r = take_bytes(&cursor, settings->needs_restart, sizeof(settings->needs_restart));
	if (r == 0 && settings->needs_restart[sizeof(settings->needs_restart) - 1])
		r = -EBADMSG;
	if (r == 0)
		r = config_unpack(&settings->config, &cursor);
	if (r == 0)
		r = credentials_unpack(&cursor, &settings->credentials);
	return r;
}

static int read_file(struct settings *settings, int file, int *fds, size_t n)
{
	struct stat status;
	void *bytes;
	int r;

	if (fstat(file, &status) < 0)
		return -errno;
	if (status.st_size == 0)
		return -EBADMSG;
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	if (bytes == MAP_FAILED)
		return -errno;
	r = unpack(settings, (struct view){ bytes, (size_t)status.st_size }, fds, n);
	munmap(bytes, (size_t)status.st_size);
	return r;
}

int settings_receive(struct settings *ret_settings, const int *fds, size_t n)
{
	int own[CHANNEL_FDS_MAX];
	struct settings settings;
	int r = -EBADMSG;

	memcpy(own, fds, n * sizeof(*fds));
	settings_init(&settings);
	if (n > 0)
		r = read_file(&settings, own[0], own + 1, n - 1);
	for (size_t i = 0; i < n; i++)
		cleanup_close(&own[i]);
	if (r < 0)
		settings_clear(&settings);
	else
		*ret_settings = settings;
	return r;
}
