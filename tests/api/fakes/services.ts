/** Services whose calls a test writes by hand; every other call fails by its name. */

import type { ApiServices } from '../../../src/api/services.ts';

type Given = { readonly [K in keyof ApiServices]?: Partial<ApiServices[K]> };

function service<T extends object>(name: string, given: Partial<T> | undefined): T {
  return new Proxy((given ?? {}) as T, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (value !== undefined || typeof property === 'symbol') return value;
      return () => {
        throw new Error(`the test gave no ${name}.${property}`);
      };
    },
  });
}

export function fakeServices(given: Given = {}): ApiServices {
  return {
    containers: service('containers', given.containers),
    images: service('images', given.images),
    networks: service('networks', given.networks),
    volumes: service('volumes', given.volumes),
    system: service('system', given.system),
  };
}
