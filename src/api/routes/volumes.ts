import { encodeVolume } from '../encode/volumes.ts';
import { prunesNamedVolumes } from '../versions.ts';
import type { Routes } from './route.ts';

export const volumeRoutes: Routes<
  'VolumeList' | 'VolumeCreate' | 'VolumeInspect' | 'VolumeDelete' | 'VolumePrune'
> = {
  VolumeList: (services, exchange) => {
    const volumes = services.volumes.list(exchange.query.filters());
    exchange.json(200, { Volumes: volumes.map(encodeVolume), Warnings: null });
  },
  VolumeCreate: async (services, exchange) => {
    const body = await exchange.body();
    const volume = await services.volumes.create(exchange.ctx, {
      ...(body.Name === undefined ? {} : { name: body.Name }),
      ...(body.Driver === undefined ? {} : { driver: body.Driver }),
      ...(body.DriverOpts === undefined ? {} : { options: body.DriverOpts }),
      ...(body.Labels === undefined ? {} : { labels: body.Labels }),
    });
    exchange.json(201, encodeVolume(volume));
  },
  VolumeInspect: (services, exchange) => {
    exchange.json(200, encodeVolume(services.volumes.inspect(exchange.name)));
  },
  VolumeDelete: async (services, exchange) => {
    await services.volumes.remove(exchange.ctx, exchange.name, { force: exchange.query.bool('force') });
    exchange.empty(204);
  },
  VolumePrune: async (services, exchange) => {
    const given = exchange.query.filters();
    const filters = prunesNamedVolumes(exchange.version) ? { all: ['true'], ...given } : given;
    const report = await services.volumes.prune(exchange.ctx, filters);
    exchange.json(200, { VolumesDeleted: report.deleted, SpaceReclaimed: report.spaceReclaimed });
  },
};
