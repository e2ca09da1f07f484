/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright (c) 2026 hpc.msr_safe contributors */
/*
 * Asks the msr-job that stands by, at whose end of the socket is
 * plugins/module_utils/commands/standby.py:
 *
 *	here: NAME=VALUE of the environment, an empty text, the arguments, each with
 *	      a zero at its end; with it the descriptor for what is printed
 *	there: "ready"
 *	here: "go": before it, either may go away, and nothing has been done
 *	there: the exit status, a byte
 *
 * If this end closes, whoever wanted it was killed: so is what runs there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "standby.h"

#ifndef STANDBY_PROGRAM
#define STANDBY_PROGRAM "/usr/sbin/msr-job"
#endif
#ifndef STANDBY_SOCKET
#define STANDBY_SOCKET "/run/msr-safe/standby"
#endif
/* Seconds until a program is started instead. */
#define PATIENCE 2

struct request {
	char text[16384];
	size_t length;
};

static bool add_text(struct request *request, const char *text)
{
	size_t size = strlen(text) + 1;

	if (size > sizeof(request->text) - request->length)
		return false;
	memcpy(request->text + request->length, text, size);
	request->length += size;
	return true;
}

static bool add_texts(struct request *request, char *const texts[])
{
	for (; *texts; texts++)
		if (!add_text(request, *texts))
			return false;
	return true;
}

static bool set_patience(int connection, int seconds)
{
	const struct timeval time = { .tv_sec = seconds };

	return !setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &time,
			   sizeof(time)) &&
	       !setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &time,
			   sizeof(time));
}

/* Root's, as a rule: whose directory it is in. */
static bool is_own(int connection)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return !getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) &&
	       peer.uid == geteuid();
}

static bool send_request(int connection, struct request *request, int output)
{
	struct iovec text = { request->text, request->length };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(output))];
	} rights = { 0 };
	struct msghdr message = {
		.msg_iov = &text,
		.msg_iovlen = 1,
		.msg_control = rights.space,
		.msg_controllen = sizeof(rights.space),
	};

	rights.header.cmsg_level = SOL_SOCKET;
	rights.header.cmsg_type = SCM_RIGHTS;
	rights.header.cmsg_len = CMSG_LEN(sizeof(output));
	memcpy(CMSG_DATA(&rights.header), &output, sizeof(output));
	return sendmsg(connection, &message, MSG_NOSIGNAL) > 0;
}

static bool let_it_go(int connection)
{
	char answer[8];

	return recv(connection, answer, sizeof(answer), 0) == 5 &&
	       !memcmp(answer, "ready", 5) &&
	       send(connection, "go", 2, MSG_NOSIGNAL) == 2;
}

int begin_on_standby(char *const argv[], char *const environment[], int output)
{
	const struct sockaddr_un address = { AF_UNIX, STANDBY_SOCKET };
	struct request request = { .length = 0 };
	int connection;

	if (strcmp(argv[0], STANDBY_PROGRAM) ||
	    !add_texts(&request, environment) || !add_text(&request, "") ||
	    !add_texts(&request, argv + 1))
		return -1;
	connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (connection < 0)
		return -1;
	if (set_patience(connection, PATIENCE) &&
	    !connect(connection, (const struct sockaddr *)&address,
		     sizeof(address)) &&
	    is_own(connection) &&
	    send_request(connection, &request, output) &&
	    let_it_go(connection))
		return connection;
	close(connection);
	return -1;
}

int wait_for_standby(int connection)
{
	unsigned char status = 128 + SIGKILL;

	set_patience(connection, 0);
	while (recv(connection, &status, 1, 0) < 0 && errno == EINTR)
		;
	close(connection);
	return status;
}
