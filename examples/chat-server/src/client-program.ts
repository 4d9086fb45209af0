import 'reflect-metadata';
import { coreModule, TransportHub } from '@stanzaport/core';
import { Container, type ContainerModule } from 'inversify';

/** The transports of a client, by the same modules a server has. */
export function clientHub(transports: readonly ContainerModule[]): TransportHub {
  const container = new Container();
  container.load(coreModule(), ...transports);
  return container.get(TransportHub);
}
