import type { CertificateError } from '@stanzaport/core';
import { describe, expect, test } from 'vitest';
import { errorOfSocket, type Stage } from './errors.ts';

const failure = (code: string, message = ''): Error & { code: string } => Object.assign(new Error(message), { code });

describe('errors of sockets', () => {
  test.each([
    ['ECONNREFUSED', 'connecting', 'refused'],
    ['EHOSTUNREACH', 'connecting', 'unreachable'],
    ['ENETUNREACH', 'connecting', 'unreachable'],
    ['ETIMEDOUT', 'connecting', 'timeout'],
    ['ETIMEDOUT', 'open', 'timeout'],
    ['ECONNRESET', 'shaking hands for TLS', 'peer-reset'],
    ['EPIPE', 'open', 'peer-reset'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'shaking hands for TLS', 'tls'],
    ['ERR_SSL_NO_APPLICATION_PROTOCOL', 'shaking hands for TLS', 'alpn'],
    ['ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', 'shaking hands for TLS', 'certificate'],
    ['ESOMETHING', 'open', 'internal'],
  ] satisfies [string, Stage, string][])('[TC-09] %s while %s is %s', (code, stage, category) => {
    const error = errorOfSocket(failure(code), 'a.example (192.0.2.1 port 5223)', stage);
    expect(error.category).toBe(category);
    expect(error.message).toContain('a.example (192.0.2.1 port 5223)');
  });

  test.each([
    [42, 'certificate'],
    [45, 'certificate'],
    [48, 'certificate'],
    [116, 'certificate'],
    [120, 'alpn'],
    [40, 'tls'],
    [70, 'tls'],
    [112, 'tls'],
  ])('[TC-09] alert %i from the peer is %s', (alert, category) => {
    const message = `0A000460:SSL routines:ssl3_read_bytes:some alert:rec_layer_s3.c:1601:SSL alert number ${alert}\n`;
    const error = errorOfSocket(failure('ERR_SSL_SOME_ALERT', message), 'a.example', 'shaking hands for TLS');
    expect(error).toMatchObject({ category, alert });
    if (category === 'certificate') expect((error as CertificateError).reason).toBe('refused-by-peer');
  });
});
