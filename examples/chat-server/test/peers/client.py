#!/usr/bin/python3
"""A client on slixmpp: logs in, says --count lines to each --to, waits until each of them has said as many, and ends.

Prints one line of JSON, {"jid", "tls", "alpn", "mechanism", "received": {from: [bodies]}, "error"}; exits with 0 where
error is null. The only CA it trusts is --ca. Line N is 'N TEXT', counted from 0. Nothing is said before each --to has
answered a ping, so that the order in which clients are started does not matter.
"""
import argparse
import asyncio
import json
import logging
import ssl
import sys

logging.basicConfig(level=logging.CRITICAL)
import slixmpp  # noqa: E402 (it logs while it is imported)
from slixmpp.exceptions import IqError, IqTimeout  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument('--jid', required=True, help='full JID')
parser.add_argument('--password', required=True)
parser.add_argument('--port', type=int, required=True, help='on 127.0.0.1')
parser.add_argument('--tls', choices=['starttls', 'direct-tls'], required=True)
parser.add_argument('--ca', required=True, help='PEM file')
parser.add_argument('--mechanism', help='the only SASL mechanism to use, and without channel binding')
parser.add_argument('--to', action='append', default=[], help='full JID')
parser.add_argument('--count', type=int, default=0)
parser.add_argument('--text', default='')
parser.add_argument('--unannounced', action='store_true', help='ping nobody first')
parser.add_argument('--timeout', type=float, default=25, help='seconds for everything')
args = parser.parse_args()


class Client(slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__(args.jid, args.password)
        self.register_plugin('xep_0199')
        if args.mechanism:
            mechanisms = self['feature_mechanisms']
            credentials = mechanisms.sasl_callback
            mechanisms.use_mech = args.mechanism
            mechanisms.sasl_callback = lambda must, may: credentials(must, may - {'channel_binding'})
        self.ca_certs = args.ca
        self.ssl_context = ssl.create_default_context(cafile=args.ca)
        if args.tls == 'direct-tls':
            self.ssl_context.set_alpn_protocols(['xmpp-client'])
        self.result = {'jid': args.jid, 'tls': None, 'alpn': None, 'mechanism': None, 'received': {}, 'error': None}
        self.arrived = asyncio.Event()
        self.over = self.loop.create_future()
        self.add_event_handler('session_start', self.run)
        self.add_event_handler('message', self.on_message)
        self.add_event_handler('message_error', lambda m: self.end('bounced: %s' % m['error']['condition']))
        self.add_event_handler('connection_failed', lambda e: self.end('connection failed: %s' % e))
        self.add_event_handler('ssl_invalid_chain', lambda e: self.end('certificate refused: %s' % e))
        self.add_event_handler('failed_all_auth', lambda e: self.end('authentication failed'))
        self.add_event_handler('stream_error', lambda e: self.end('stream error: %s' % e['condition']))
        self.add_event_handler('disconnected', lambda e: self.end('disconnected: %s' % e))

    async def _pick_dns_answer(self, domain, port=None):
        return None  # the address is known

    def start(self):
        self.connect(('127.0.0.1', args.port), use_ssl=args.tls == 'direct-tls', force_starttls=args.tls == 'starttls',
                     disable_starttls=args.tls != 'starttls')
        self.default_domain = self.boundjid.host  # the server name in TLS, and the name to verify

    def end(self, error):
        if not self.over.done():
            self.over.set_result(error)

    def on_message(self, message):
        self.result['received'].setdefault(message['from'].full, []).append(message['body'])
        self.arrived.set()

    def has_heard_all(self):
        return all(len(self.result['received'].get(peer, [])) >= args.count for peer in args.to)

    async def run(self, _):
        tls = self.transport.get_extra_info('ssl_object')
        if tls is None:
            return self.end('the session is not encrypted')
        self.result.update(tls=tls.version(), alpn=tls.selected_alpn_protocol(),
                           mechanism=self['feature_mechanisms'].mech.name)
        self.send_presence()
        for peer in args.to:
            while not args.unannounced:
                try:
                    await self['xep_0199'].send_ping(slixmpp.JID(peer), timeout=5)
                    break
                except (IqError, IqTimeout):
                    await asyncio.sleep(.1)
        for number in range(args.count):
            for peer in args.to:
                self.send_message(slixmpp.JID(peer), '%d %s' % (number, args.text), mtype='chat')
            await asyncio.sleep(0)
        while not self.has_heard_all():
            self.arrived.clear()
            await self.arrived.wait()
        self.end(None)


async def main():
    client = Client()
    client.start()
    try:
        client.result['error'] = await asyncio.wait_for(client.over, args.timeout)
    except asyncio.TimeoutError:
        client.result['error'] = 'timed out after %g s' % args.timeout
    await client.disconnect(wait=2)
    client._run_out_filters.cancel()  # its send loop; asyncio complains when it is left
    await asyncio.sleep(0)
    print(json.dumps(client.result), flush=True)
    return client.result['error'] is not None

sys.exit(asyncio.get_event_loop().run_until_complete(main()))
