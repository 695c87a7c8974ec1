/**
 * The engine's JSON as templates see it: Go reads it into structs, with maps only where keys are free. That decides how
 * a value prints, whether an unknown name is an error, and the order of keys in JSON.
 */
import { markStruct, nilSlice } from './values.ts';

/** Fields whose objects have keys of the user's. */
const MAPS = new Set([
  'Annotations',
  'Attributes',
  'AuxiliaryAddresses',
  'Containers',
  'Data',
  'Details',
  'DriverOpts',
  'EndpointsConfig',
  'ExposedPorts',
  'IndexConfigs',
  'Labels',
  'Networks',
  'Options',
  'PortBindings',
  'Ports',
  'Runtimes',
  'StorageOpt',
  'Sysctls',
  'Tmpfs',
  'Volumes',
]);
/** Maps to lists, where `null` is an empty list. */
const LISTS = new Set(['Ports', 'PortBindings']);

function convert(value: unknown, field: string, parent: string): unknown {
  if (Array.isArray(value)) return value.map((item) => convert(item, '', field));
  if (value === null || typeof value !== 'object') return value;
  // The log driver's options are a map under a name that elsewhere is a struct.
  const isMap = MAPS.has(field) || (field === 'Config' && parent === 'LogConfig');
  const entries = Object.entries(value).map(([name, item]): [string, unknown] => {
    if (isMap) return [name, item === null && LISTS.has(field) ? nilSlice() : convert(item, '', field)];
    return [name, convert(item, name, field)];
  });
  const object = Object.fromEntries(entries);
  return isMap ? object : markStruct(object);
}

/** A parsed answer with its structs marked. */
export const fromApi = (value: unknown): unknown => convert(value, '', '');
