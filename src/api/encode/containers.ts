/** Containers as the API shows them: inspect, the list, top, changes. */

import type { ContainerRecord, ContainerState, MountPoint } from '../../core/model/container.ts';
import type { ChangeKind, FileChange } from '../../core/ports/snapshot-driver.ts';
import type {
  ContainerSummary,
  ContainerView,
  ExecView,
  Health,
  TopResult,
} from '../../services/containers/index.ts';
import { hasManifestDescriptor, listsAnnotations, listsHealth, type ApiVersion } from '../versions.ts';
import { encodeConfig, encodeHostConfig } from './container-config.ts';
import { encodeNetworkSettings, encodePortList, listedEndpoints } from './endpoints.ts';
import { seconds } from './time.ts';

/** Starting is a state of ours; clients know what comes before it. */
function statusWord(state: ContainerState): string {
  return state.status === 'starting' ? 'created' : state.status;
}

function encodeHealth(health: Health): object {
  return {
    Status: health.status,
    FailingStreak: health.failingStreak,
    Log: health.log.map((probe) => ({
      Start: probe.start,
      End: probe.end,
      ExitCode: probe.exitCode,
      Output: probe.output,
    })),
  };
}

function encodeState(state: ContainerState, health: Health | undefined): object {
  const { status } = state;
  return {
    Status: statusWord(state),
    // A paused or restarting container counts as running too.
    Running: status === 'running' || status === 'paused' || status === 'restarting',
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: status === 'dead',
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt,
    FinishedAt: state.finishedAt,
    ...(health === undefined || health.status === 'none' ? {} : { Health: encodeHealth(health) }),
  };
}

function encodeMount(mount: MountPoint): object {
  return {
    Type: mount.type,
    ...(mount.name === undefined ? {} : { Name: mount.name }),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.driver === undefined ? {} : { Driver: mount.driver }),
    Mode: mount.mode,
    RW: mount.rw,
    Propagation: mount.propagation,
  };
}

/** tmpfs from `--tmpfs` stands in the host config alone, as dockerd has it; from `--mount` it is listed. */
function listedMounts(record: ContainerRecord): readonly MountPoint[] {
  const plain = record.hostConfig.Tmpfs ?? {};
  return record.mounts.filter((mount) => mount.type !== 'tmpfs' || plain[mount.destination] === undefined);
}

function sizes(view: { readonly sizes: ContainerView['sizes'] }): object {
  return view.sizes === undefined ? {} : { SizeRw: view.sizes.rw, SizeRootFs: view.sizes.rootFs };
}

/** Go's omitempty: the list leaves out a size of nothing. */
function listedSizes({ sizes: found }: ContainerSummary): object {
  return {
    ...(found === undefined || found.rw === 0 ? {} : { SizeRw: found.rw }),
    ...(found === undefined || found.rootFs === 0 ? {} : { SizeRootFs: found.rootFs }),
  };
}

function manifestDescriptor(view: ContainerView, version: ApiVersion): object {
  const digest = view.imageManifestDigest;
  if (digest === undefined || !hasManifestDescriptor(version)) return {};
  return {
    ImageManifestDescriptor: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 0 },
  };
}

function appArmorProfile(record: ContainerRecord): string {
  const option = (record.hostConfig.SecurityOpt ?? []).find((text) => text.startsWith('apparmor'));
  return option?.slice('apparmor='.length) ?? '';
}

export function encodeContainer(view: ContainerView, version: ApiVersion): object {
  const { record } = view;
  return {
    Id: record.id,
    Created: record.createdAt,
    Path: record.path,
    Args: record.args,
    State: encodeState(record.state, view.health),
    Image: record.imageId,
    ResolvConfPath: view.resolvConfPath,
    HostnamePath: view.hostnamePath,
    HostsPath: view.hostsPath,
    LogPath: record.logPath,
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: record.driver,
    Platform: record.platform.split('/', 1)[0],
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: appArmorProfile(record),
    ExecIDs: view.execIds ?? null,
    HostConfig: encodeHostConfig(record, version),
    GraphDriver: { Data: view.graphDriver.data, Name: view.graphDriver.name },
    ...sizes(view),
    Mounts: listedMounts(record).map(encodeMount),
    Config: encodeConfig({ ...record.config, Image: record.imageRef }, version),
    NetworkSettings: encodeNetworkSettings(record, { id: view.sandboxId, key: view.sandboxKey }, version),
    ...manifestDescriptor(view, version),
  };
}

function commandLine(record: ContainerRecord): string {
  return [record.path, ...record.args].map((part) => (/[\s]/.test(part) ? `'${part}'` : part)).join(' ');
}

export function encodeSummary(summary: ContainerSummary, version: ApiVersion): object {
  const { record, health } = summary;
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: summary.image,
    ImageID: record.imageId,
    Command: commandLine(record),
    Created: seconds(record.createdAt),
    Ports: encodePortList(record),
    ...listedSizes(summary),
    Labels: record.config.Labels ?? {},
    State: statusWord(record.state),
    Status: summary.status,
    HostConfig: {
      NetworkMode: record.hostConfig.NetworkMode ?? 'bridge',
      ...(record.hostConfig.Annotations == null || !listsAnnotations(version)
        ? {}
        : { Annotations: record.hostConfig.Annotations }),
    },
    ...(listsHealth(version)
      ? { Health: { Status: health?.status ?? 'none', FailingStreak: health?.failingStreak ?? 0 } }
      : {}),
    NetworkSettings: { Networks: listedEndpoints(record, version) },
    Mounts: listedMounts(record).map(encodeMount),
  };
}

export function encodeTop(top: TopResult): object {
  return { Titles: top.titles, Processes: top.processes };
}

const changeKinds: Readonly<Record<ChangeKind, number>> = { modified: 0, added: 1, deleted: 2 };

export function encodeChanges(changes: readonly FileChange[]): object[] | null {
  if (changes.length === 0) return null;
  return changes.map((change) => ({ Path: change.path, Kind: changeKinds[change.kind] }));
}

export function encodeExec(exec: ExecView): object {
  return {
    ID: exec.id,
    Running: exec.running,
    ExitCode: exec.exitCode ?? null,
    ProcessConfig: {
      tty: exec.tty,
      entrypoint: exec.entrypoint,
      arguments: exec.arguments,
      privileged: exec.privileged,
      ...(exec.user === '' ? {} : { user: exec.user }),
    },
    OpenStdin: exec.openStdin,
    OpenStderr: exec.openStderr,
    OpenStdout: exec.openStdout,
    CanRemove: exec.canRemove,
    ContainerID: exec.containerId,
    DetachKeys: Buffer.from(exec.detachKeys).toString('base64'),
    Pid: exec.pid,
  };
}
