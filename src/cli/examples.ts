/** Examples for the help pages, by the canonical path of a command. */

export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  'checkpoint create': [
    'slipway checkpoint create counter c1                        the container ends, its memory is on disk',
    'slipway checkpoint create --leave-running counter c2        the container goes on',
    'slipway checkpoint create --checkpoint-dir /backup counter c3',
  ],
  'checkpoint ls': ['slipway checkpoint ls counter'],
  'checkpoint rm': ['slipway checkpoint rm counter c1'],
  'container run': [
    'slipway run --rm -it debian bash               a shell in a new container, removed at exit',
    'slipway run -d --name web -p 8080:80 nginx     a web server in the background on port 8080',
    'slipway run --rm -v "$PWD":/src -w /src node npm test',
    'slipway run --rm -i busybox wc -l < file       reads the file to its end',
  ],
  'container create': [
    'slipway create --name job -m 256m --cpus 1.5 busybox sh -c "echo hello"',
    'slipway start -a job',
  ],
  'container exec': ['slipway exec -it web sh', 'slipway exec web cat /etc/hosts'],
  'container ls': [
    'slipway ps -a --filter status=exited',
    'slipway ps --format "table {{.Names}}\\t{{.Image}}\\t{{.Ports}}"',
    'slipway rm $(slipway ps -aq --filter status=exited)',
  ],
  'container logs': ['slipway logs -f --tail 20 web', 'slipway logs --since 10m --timestamps web'],
  'container cp': ['slipway cp web:/etc/nginx/nginx.conf .', 'slipway cp site/. web:/usr/share/nginx/html'],
  'container start': [
    'slipway start -ai job',
    'slipway start --checkpoint c1 counter        goes on from the checkpoint c1',
  ],
  'container stop': ['slipway stop -t 30 web'],
  'container rm': ['slipway rm -f web', 'slipway rm -v job'],
  'container update': ['slipway update --memory 512m --cpus 2 web'],
  'container commit': ['slipway commit -m "Added RSS" -a "Name" web user/app:v1'],
  'container export': ['slipway export -o root.tar web'],
  'container attach': ['slipway attach web        (leave with Ctrl-P Ctrl-Q)'],
  'container stats': ['slipway stats --no-stream', 'slipway stats --format "{{.Name}} {{.MemUsage}}"'],
  'container kill': ['slipway kill -s HUP web'],
  'image ls': [
    'slipway images --tree',
    'slipway images --filter dangling=true',
    'slipway images --format "{{.Repository}}:{{.Tag}} {{.Size}}"',
  ],
  'image gc': ['slipway image gc --all --dry-run', 'slipway image gc'],
  'image layers': [
    'slipway image layers nginx',
    'slipway image layers --files --depth 2 --layer 3 my/app',
    'slipway image layers --max-waste 10% my/app      exit code 1 in CI when more than a tenth is wasted',
    "slipway image layers --format json my/app | jq '.layers[] | {layer, wasted}'",
  ],
  'image pull': ['slipway pull debian:12', 'slipway pull localhost:5000/app@sha256:...'],
  'image inspect': ['slipway image inspect --platform linux/arm64 nginx'],
  'image load': ['slipway load -i image.tar', 'gunzip -c image.tar.gz | slipway load'],
  'image save': [
    'slipway save -o image.tar busybox',
    'slipway save --platform linux/arm64 nginx | ssh board slipway load',
  ],
  'image import': [
    'slipway import root.tar my/base',
    'tar c -C root . | slipway import -c \'CMD ["sh"]\' - my/base',
  ],
  'image tag': ['slipway tag app:latest localhost:5000/app:v1'],
  'network create': [
    'slipway network create back',
    'slipway network create --subnet 10.9.0.0/16 --gateway 10.9.0.1 lab',
  ],
  'network connect': ['slipway network connect --alias db back postgres'],
  'volume create': [
    'slipway volume create data',
    'slipway volume create -o type=tmpfs -o device=tmpfs scratch',
  ],
  'system events': ['slipway events --filter type=container --since 10m'],
  'system df': ['slipway system df -v'],
  inspect: [
    "slipway inspect --format '{{.State.Status}}' web",
    "slipway inspect -f '{{json .NetworkSettings.Ports}}' web",
  ],
};
