/* The check that shakes hands by TLS, with the server's name (RFC 6066 section
 * 3).  Who the server is, is not looked at: that is its clients' business. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "check.h"
#include "check_tls.h"

const char *
check_tls_version(void)
{
	return OpenSSL_version(OPENSSL_FULL_VERSION_STRING);
}

/* One for all of them, made with the first and never freed; main thread. */
static SSL_CTX *
tls_context(void)
{
	static SSL_CTX *context;

	if (context == NULL)
		context = SSL_CTX_new(TLS_client_method());
	return context;
}

/* OpenSSL takes a copy, but not of what is const. */
static bool
tls_set_name(SSL *ssl, const char *host)
{
	char name[TLSEXT_MAXLEN_host_name + 1];

	snprintf(name, sizeof(name), "%s", host);
	return SSL_set_tlsext_host_name(ssl, name);
}

static bool
tls_open(struct check *c)
{
	SSL *ssl = tls_context() == NULL ? NULL : SSL_new(tls_context());

	if (ssl == NULL)
		return false;
	c->tls = ssl;
	SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	return (c->host == NULL || tls_set_name(ssl, c->host)) &&
	    SSL_set_fd(ssl, c->fd);
}

static enum check_answer
tls_bad(struct check *c)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	return check_bad(c, "no TLS: %s", reason != NULL ? reason :
	    "the server closed");
}

static enum check_answer
tls_hear(struct check *c)
{
	int done;

	ERR_clear_error();
	if (c->tls == NULL && !tls_open(c))
		return CHECK_UNFIT;
	done = SSL_connect(c->tls);
	if (done == 1)
		return CHECK_GOOD;
	switch (SSL_get_error(c->tls, done)) {
	case SSL_ERROR_WANT_READ:
		return CHECK_READ;
	case SSL_ERROR_WANT_WRITE:
		return CHECK_WRITE;
	default:
		return tls_bad(c);
	}
}

/* A server that counts handshakes which nobody ends shall not count this. */
static void
tls_end(struct check *c)
{
	if (c->tls == NULL)
		return;
	if (SSL_is_init_finished(c->tls))
		SSL_shutdown(c->tls);
	SSL_free(c->tls);
	c->tls = NULL;
}

const struct check_kind CHECK_TLS = { NULL, tls_hear, tls_end };
