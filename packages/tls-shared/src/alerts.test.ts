import { expect, test } from 'vitest';
import { alertName, TLS_ALERT } from './alerts.ts';

test('[CERT-01] alerts have the numbers and names of the TLS registry', () => {
  expect(TLS_ALERT.unrecognized_name).toBe(112);
  expect(alertName(120)).toBe('no_application_protocol');
  expect(alertName(0)).toBe('close_notify');
  expect(alertName(200)).toBe('alert(200)');
});
