#!/bin/bash
# Attaches and mounts the ClickHouse volume of this zone, then lets the ECS agent join the cluster.
# The agent starts after this script. When anything here fails, the cluster is not named, so no
# task can start on an empty folder, and the instance stops itself, to be replaced.
set -euo pipefail
trap 'echo "boot failed in line $$LINENO"; shutdown -h +1' ERR

mount_point=${mount_point}
export AWS_DEFAULT_REGION=${region}

command -v aws > /dev/null || dnf install -y awscli-2
token=$$(curl -sSf -X PUT http://169.254.169.254/latest/api/token -H "X-aws-ec2-metadata-token-ttl-seconds: 300")
instance=$$(curl -sSf -H "X-aws-ec2-metadata-token: $$token" http://169.254.169.254/latest/meta-data/instance-id)
zone=$$(curl -sSf -H "X-aws-ec2-metadata-token: $$token" http://169.254.169.254/latest/meta-data/placement/availability-zone)

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

# The instance before this one may still hold the volume.
for attempt in $$(seq 1 60); do
  if aws ec2 attach-volume --volume-id "$$volume" --instance-id "$$instance" --device ${device}; then
    break
  fi
  echo "waiting for $$volume ($$attempt of 60)"
  sleep 10
done

# NVMe devices are named by the volume's ID without its dash.
device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_$${volume/-/}
for attempt in $$(seq 1 60); do
  [[ -b $$device ]] && break
  sleep 2
done
[[ -b $$device ]]

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
# Keeps a Cloud Map service at the address of this instance's ClickHouse task.
find_address='
import json, sys
for task in json.load(sys.stdin)["Tasks"]:
    for container in task["Containers"]:
        if task["KnownStatus"] == "RUNNING" and container["Name"] == "clickhouse":
            print(container["Networks"][0]["IPv4Addresses"][0])
'
registered=
while sleep 5; do
  tasks=$$(curl -sf http://localhost:51678/v1/tasks) || continue
  address=$$(python3 -c "$$find_address" <<< "$$tasks") || continue
  if [[ -n $$address && $$address != "$$registered" ]]; then
    aws servicediscovery register-instance --service-id "$$1" --instance-id server \
      --attributes "AWS_INSTANCE_IPV4=$$address" || continue
    registered=$$address
  fi
done
SCRIPT
  chmod a+rx /usr/local/bin/register-server
  # What Cloud Map has accepted may still fail there; each start registers again.
  cat > /etc/systemd/system/register-server.service <<UNIT
[Service]
Environment=AWS_DEFAULT_REGION=${region}
ExecStart=/usr/local/bin/register-server $$service
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
