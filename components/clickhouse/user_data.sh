#!/bin/bash
# Attaches and mounts the ClickHouse volume of this zone, then lets the ECS agent join the cluster.
# Whatever fails on the way, no task may start on an empty folder: the agent stays masked, which an
# instance keeps over reboots, and the instance stops at once, to be replaced.
set -euo pipefail
booted=
trap 'echo "boot failed in line $$LINENO: $$BASH_COMMAND"' ERR
trap '[[ -n $$booted ]] || { echo "boot failed; the ECS agent stays masked"; shutdown -h now; }' EXIT

# The agent starts after this script, whatever becomes of it, and without a cluster's name it makes
# and joins the account's `default`. Waiting for a unit that waits for this script is a deadlock.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-install.html
systemctl --no-block mask --now ecs.service

mount_point=${mount_point}
export AWS_DEFAULT_REGION=${region}

retry() { # times, seconds between them, command
  local times=$$1 pause=$$2
  shift 2
  for attempt in $$(seq 1 "$$times"); do
    if "$$@"; then
      return 0
    fi
    echo "$$*: attempt $$attempt of $$times failed" >&2
    sleep "$$pause"
  done
  echo "$$*: gave up" >&2
  return 1
}

# The ECS-optimised AMI is a minimal one, without AWS's CLI. dnf would wait for another's lock, or
# for a mirror that it does not reach yet, for ever.
# https://github.com/aws/amazon-ecs-ami/blob/main/release-al2023.auto.pkrvars.hcl
install_cli() {
  timeout 3m dnf install -y awscli-2 && command -v aws > /dev/null
}
command -v aws > /dev/null || retry 5 20 install_cli

metadata() { # path
  local token
  token=$$(curl -sSf -m 5 -X PUT http://169.254.169.254/latest/api/token -H "X-aws-ec2-metadata-token-ttl-seconds: 300") &&
    curl -sSf -m 5 -H "X-aws-ec2-metadata-token: $$token" "http://169.254.169.254/latest/meta-data/$$1"
}
instance=$$(retry 30 2 metadata instance-id)
zone=$$(retry 30 2 metadata placement/availability-zone)

# A zone has one volume, and so one server.
volume=
while read -r its_zone its_number its_volume; do
  if [[ $$its_zone == "$$zone" ]]; then
    number=$$its_number
    volume=$$its_volume
  fi
done <<'VOLUMES'
${volumes}
VOLUMES
if [[ -z $$volume ]]; then
  echo "no volume in zone $$zone"
  false
fi

# NVMe devices are named by the volume's ID without its dash.
device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_$${volume/-/}
attached() {
  [[ -b $$device ]]
}
# The instance before this one may still hold the volume; or EC2 attached it, and nobody heard.
attach() {
  attached || aws ec2 attach-volume --volume-id "$$volume" --instance-id "$$instance" --device ${device}
}
retry 60 10 attach
retry 60 2 attached

# Only a volume without any signature (2) is formatted: once in its life.
signature=0
blkid -p "$$device" || signature=$$?
case $$signature in
  0) ;;
  2) mkfs.xfs "$$device" ;;
  *) false ;;
esac
mkdir -p "$$mount_point"
# Nothing can write below the mount point while the volume is not mounted.
if command -v chattr > /dev/null; then
  chattr +i "$$mount_point"
fi
echo "$$device $$mount_point xfs defaults,noatime 0 2" >> /etc/fstab
mount "$$mount_point"
mkdir -p "$$mount_point/data"
chown ${user_id}:${user_id} "$$mount_point/data"

# A volume that was made larger is used within the hour.
cat > /etc/systemd/system/grow-data-volume.service <<UNIT
[Service]
Type=oneshot
ExecStart=/usr/sbin/xfs_growfs ${mount_point}
UNIT
cat > /etc/systemd/system/grow-data-volume.timer <<UNIT
[Timer]
OnBootSec=1min
OnUnitActiveSec=1h
[Install]
WantedBy=timers.target
UNIT
systemctl enable --now grow-data-volume.timer

# CloudWatch knows how full a volume is only if it is told: percent, every five minutes.
cat > /usr/local/bin/report-disk-use <<'SCRIPT'
#!/bin/bash
set -euo pipefail
mountpoint -q "$$1" # or it would be the root volume's
used=$$(df --output=pcent "$$1" | tail -n 1)
aws cloudwatch put-metric-data --namespace ${metric_namespace} --metric-name ${disk_metric} \
  --unit Percent --dimensions "VolumeId=$$2" --value "$$(tr -dc 0-9 <<< "$$used")"
SCRIPT
chmod a+rx /usr/local/bin/report-disk-use
cat > /etc/systemd/system/report-disk-use.service <<UNIT
[Service]
Type=oneshot
Environment=AWS_DEFAULT_REGION=${region}
ExecStart=/usr/local/bin/report-disk-use ${mount_point} $$volume
TimeoutStartSec=2min
UNIT
cat > /etc/systemd/system/report-disk-use.timer <<UNIT
[Timer]
OnBootSec=1min
OnUnitActiveSec=5min
[Install]
WantedBy=timers.target
UNIT
systemctl enable --now report-disk-use.timer

# The container reads which server it is.
mkdir -p ${number_folder}
echo "$$number" > ${number_file}
chmod -R a+rX ${number_folder}

# A server's own name. ECS names the tasks of a service alike, and only healthy ones; Keeper needs
# to find the others before it can be healthy.
service=
while read -r its_number its_service; do
  if [[ $$its_number == "$$number" ]]; then
    service=$$its_service
  fi
done <<'NAMES'
${names}
NAMES
if [[ -n $$service ]]; then
  cat > /usr/local/bin/register-server <<'SCRIPT'
#!/bin/bash
# Keeps a Cloud Map service (1) at the address of this instance's ClickHouse task, and says in the
# stream register-server/(2) of a log group (3) why it cannot: each kind of error once in a run.
find_address='
import json, sys
for task in json.load(sys.stdin)["Tasks"]:
    for container in task["Containers"]:
        if task["KnownStatus"] == "RUNNING" and container["Name"] == "clickhouse":
            print(container["Networks"][0]["IPv4Addresses"][0])
'
as_event='
import json, sys, time
print(json.dumps([{"timestamp": int(time.time() * 1000), "message": sys.argv[1]}]))
'

register() { # service, address
  operation=$$(aws servicediscovery register-instance --service-id "$$1" --instance-id server \
    --attributes "AWS_INSTANCE_IPV4=$$2" --query OperationId --output text) || return
  # Cloud Map accepts first, and may fail to write the record afterwards.
  for attempt in $$(seq 1 30); do
    outcome=$$(aws servicediscovery get-operation --operation-id "$$operation" \
      --query 'Operation.[Status,ErrorCode,ErrorMessage]' --output text) || return
    case $$outcome in
      SUCCESS*) return 0 ;;
      FAIL*) echo "Cloud Map failed: $$outcome" && return 1 ;;
    esac
    sleep 2
  done
  echo "Cloud Map has not finished $$operation" && return 1
}

report() { # number, log group, message
  aws logs create-log-stream --log-group-name "$$2" --log-stream-name "register-server/$$1"
  aws logs put-log-events --log-group-name "$$2" --log-stream-name "register-server/$$1" \
    --log-events "$$(python3 -c "$$as_event" "$$3")"
}

registered=
declare -A reported
while sleep 5; do
  tasks=$$(curl -sf -m 5 http://localhost:51678/v1/tasks) || continue
  address=$$(python3 -c "$$find_address" <<< "$$tasks") || continue
  [[ -n $$address && $$address != "$$registered" ]] || continue
  if error=$$(register "$$1" "$$address" 2>&1); then
    registered=$$address
    continue
  fi
  echo "$$error"
  # AWS's errors have a code; their other words may differ each time.
  kind=other
  [[ $$error =~ (\(|FAIL[[:space:]])([A-Za-z._]+) ]] && kind=$${BASH_REMATCH[2]}
  if [[ -z $${reported[$$kind]:-} ]]; then
    report "$$2" "$$3" "server $$2 is not registered at $$address, so the others do not find it: $$error" &&
      reported[$$kind]=yes
  fi
done
SCRIPT
  chmod a+rx /usr/local/bin/register-server
  # Each start registers again, should somebody have taken the name away, and reports again.
  cat > /etc/systemd/system/register-server.service <<UNIT
[Service]
Environment=AWS_DEFAULT_REGION=${region}
ExecStart=/usr/local/bin/register-server $$service $$number ${log_group}
Restart=always
RestartSec=5
RuntimeMaxSec=15min
[Install]
WantedBy=multi-user.target
UNIT
  systemctl enable --now register-server.service
fi

cat > /etc/ecs/ecs.config <<CONFIG
ECS_CLUSTER=${cluster}
ECS_CONTAINER_STOP_TIMEOUT=120s
ECS_ENABLE_TASK_IAM_ROLE=true
ECS_AWSVPC_BLOCK_IMDS=true
ECS_IMAGE_PULL_BEHAVIOR=prefer-cached
CONFIG

systemctl unmask ecs.service
systemctl --no-block enable --now ecs.service
booted=yes
