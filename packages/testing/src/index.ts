/**
 * For authors of transports and of servers: the conformance kit that proves a transport ({@link transportConformance}),
 * a transport that needs no network ({@link MemoryTransport}), a network that is bad by plan ({@link UdpForwarder}), and the
 * kit's own tools for tests of one's own.
 */
export { addressVectors } from './address-vectors.ts';
export type { Collector } from './cases/collector.ts';
export { collect } from './cases/collector.ts';
export type { ConnectionPair, StreamPair } from './cases/harness.ts';
export { Scene } from './cases/harness.ts';
export type { CertificateVector } from './certificate-vector.ts';
export { certificateVectors } from './certificate-vectors.ts';
export type {
  CertificateFault,
  IssueOptions,
  PemFiles,
  TestCaOptions,
  TestCredential,
  TestExtendedKeyUsage,
  TestExtension,
  TestKeyUsage,
} from './certificates.ts';
export { createTestCa, otherName, TestCa, toPem, writePemFiles } from './certificates.ts';
export type { ConformanceCase } from './conformance.ts';
export { transportConformance } from './conformance.ts';
export type {
  ConformanceSetup,
  PairOptions,
  RawPeer,
  TransportCapabilities,
  TransportPair,
} from './conformance-setup.ts';
export { delegatedName, delegationVectors, fingerprintOf, pinOf } from './delegation-vectors.ts';
export type { RebindOptions } from './fault-client.ts';
export { ForwardedClient } from './fault-client.ts';
export type { DatagramEvent, DiscardReason, FaultCounters, FaultDirection, SeenDatagram } from './fault-events.ts';
export type { DatagramPredicate, UdpForwarderOptions } from './fault-forwarder.ts';
export { UdpForwarder } from './fault-forwarder.ts';
export type { FaultPlan } from './fault-plan.ts';
export { NO_FAULTS, resolveFaultPlan } from './fault-plan.ts';
export { MemoryByteStream } from './memory-byte-stream.ts';
export type { LinkEnding, LinkHandlers } from './memory-link.ts';
export { createMemoryLink, MemoryLinkEnd } from './memory-link.ts';
export type { MemoryAcceptor, MemoryHello } from './memory-network.ts';
export { MemoryNetwork } from './memory-network.ts';
export { memoryConformance } from './memory-setup.ts';
export type { MemoryTransportOptions } from './memory-transport.ts';
export { MemoryTransport } from './memory-transport.ts';
export type { MemoryModuleOptions } from './module.ts';
export { memoryTransportModule } from './module.ts';
export type { CrlOptions, OcspOptions } from './revocation.ts';
export { createCrl, createOcspResponse } from './revocation.ts';
export type { TestHash, TestKeyAlgorithm } from './test-keys.ts';
