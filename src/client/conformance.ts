/**
 * Ties the client's types to those generated from the API's Swagger file: a field that the API does not know fails to
 * compile here. The client's own types are narrower, since the Swagger file calls nearly every field optional.
 */
import type * as api from '../api/generated/types.ts';
import type * as client from './types.ts';

/** The fields of `Mine` that `Theirs` lacks. */
type Unknown<Mine, Theirs> = Exclude<keyof Mine, keyof Theirs>;

type None<Fields extends never> = Fields;

export type Conforms = readonly [
  None<Unknown<client.ContainerSummary, api.ContainerSummary>>,
  None<Unknown<client.Port, api.PortSummary>>,
  None<Unknown<client.ImageSummary, api.ImageSummary>>,
  None<Unknown<client.ImageHistoryItem, api.ImageHistoryResponseItem>>,
  None<Unknown<client.VolumeSummary, api.Volume>>,
  None<Unknown<client.NetworkSummary, api.Network>>,
  None<Unknown<client.EventMessage, api.EventMessage>>,
  None<Unknown<client.EngineVersion, api.SystemVersion>>,
  None<Unknown<client.ContainerInspect, api.ContainerInspectResponse>>,
  None<Unknown<client.WaitResult, api.ContainerWaitResponse>>,
  None<Unknown<client.ContainerTop, api.ContainerTopResponse>>,
  None<Unknown<client.FilesystemChange, api.FilesystemChange>>,
  // `Parent` is what engines before API 1.42 say instead of `Parents`.
  None<Exclude<Unknown<client.BuildCacheRecord, api.BuildCache>, 'Parent'>>,
];
