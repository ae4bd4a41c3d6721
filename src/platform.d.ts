/**
 * The whole runtime that a Bot may assume: the globals of Medplum's vm context, and the Node modules we allow.
 * Lambda offers more, so what compiles here runs there. Anything that is not in this file is a compile error in `src/`.
 *
 * Not here on purpose: timers (a throw in a timer callback kills the server), AbortController, Buffer, process.
 */

/** `<package version>+<hash of the bundle>`, put in by the build. */
declare const __VERSION__: string;

/** Buffered by Medplum and stored in `AuditEvent.outcomeDesc`: only `observability/log.io.ts` may use it. */
declare const console: { log(line: string): void };

/** The part of the Fetch API that node-fetch 2 (vmcontext) and the built-in fetch (Lambda) have in common. */
interface BotResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
  text(): Promise<string>;
}
declare function fetch(
  url: string,
  init?: {
    method?: string;
    headers?: Record<string, string>;
    body?: string;
    redirect?: 'error' | 'manual';
    /** Milliseconds; node-fetch alone knows it. */
    timeout?: number;
  }
): Promise<BotResponse>;

declare class URL {
  constructor(url: string, base?: string);
  readonly protocol: string;
  readonly hostname: string;
  readonly origin: string;
  readonly pathname: string;
  readonly search: string;
  readonly href: string;
}
declare class URLSearchParams {
  constructor(init?: string | Record<string, string>);
  append(name: string, value: string): void;
  get(name: string): string | null;
  toString(): string;
}

declare module 'node:crypto' {
  import type { Buffer } from 'node:buffer';

  /** Bytes as Node returns them; only what we call is named. */
  interface Bytes {
    readonly length: number;
    readonly [index: number]: number;
    toString(encoding: 'hex' | 'base64url'): string;
    readUInt32BE(offset: number): number;
  }
  interface Hmac {
    update(data: string | Bytes): Hmac;
    digest(): Bytes;
    digest(encoding: 'hex' | 'base64' | 'base64url'): string;
  }
  export function createHmac(algorithm: 'sha256', key: string | Bytes): Hmac;
  export function createHash(algorithm: 'sha256'): Hmac;
  /** A key that never leaves the module as bytes. */
  interface KeyObject {
    export(options: { format: 'pem'; type: 'spki' }): string;
  }
  export function createPrivateKey(key: { key: Buffer; format: 'der'; type: 'pkcs8' }): KeyObject;
  export function createPublicKey(key: KeyObject | string): KeyObject;
  /** Ed25519 names no algorithm: it is part of the key. */
  export function sign(algorithm: null, data: Buffer, key: KeyObject): Buffer;
  export function verify(algorithm: null, data: Buffer, key: KeyObject, signature: Buffer): boolean;
  /** Since Node 20.12; whoever calls it has to look whether it is there. */
  export const hash: ((algorithm: 'sha256', data: string | Buffer, encoding: 'hex') => string) | undefined;
  export function randomUUID(): string;

  /** A public key as JWK (RFC 7517). */
  interface PublicJwk {
    readonly kty?: string;
    readonly n?: string;
    readonly e?: string;
    readonly crv?: string;
    readonly x?: string;
    readonly y?: string;
  }
  interface KeyObject {
    readonly asymmetricKeyType?: string;
    readonly asymmetricKeyDetails?: { readonly modulusLength?: number; readonly namedCurve?: string };
    export(options: { format: 'jwk' }): PublicJwk;
  }
  export function createPrivateKey(
    key: string | { readonly key: Readonly<Record<string, unknown>>; readonly format: 'jwk' }
  ): KeyObject;
  export function createPublicKey(key: KeyObject): KeyObject;
  export function sign(
    algorithm: 'sha256' | 'sha384',
    data: Buffer,
    key: KeyObject | { readonly key: KeyObject; readonly dsaEncoding: 'ieee-p1363' }
  ): Buffer;
  export function randomBytes(size: number): Buffer;
  interface Gcm {
    update(data: string, encoding: 'utf8'): Buffer;
    update(data: Buffer): Buffer;
    final(): Buffer;
    setAAD(data: Buffer): void;
    getAuthTag(): Buffer;
    setAuthTag(tag: Buffer): void;
  }
  export function createCipheriv(algorithm: 'aes-256-gcm', key: Bytes, iv: Buffer): Gcm;
  export function createDecipheriv(algorithm: 'aes-256-gcm', key: Bytes, iv: Buffer): Gcm;
}

declare module 'node:timers/promises' {
  export function setTimeout<T = void>(ms: number, value?: T, options?: { ref?: boolean }): Promise<T>;
}

declare module 'node:buffer' {
  interface Buffer {
    readonly length: number;
    readonly [index: number]: number;
    toString(encoding: 'base64' | 'base64url' | 'hex' | 'utf8'): string;
    readUInt32BE(offset: number): number;
    subarray(start: number, end?: number): Buffer;
    indexOf(byte: number, from?: number): number;
    write(text: string, offset: number, encoding: 'hex' | 'latin1'): number;
  }
  export const Buffer: {
    alloc(size: number): Buffer;
    from(text: string, encoding: 'utf8' | 'base64url' | 'hex'): Buffer;
    concat(parts: readonly (Buffer | Uint8Array)[]): Buffer;
    byteLength(text: string): number;
  };
}
