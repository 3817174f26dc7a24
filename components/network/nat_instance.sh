#!/bin/bash
# Makes this instance forward what the VPC sends to elsewhere, and tells its Auto Scaling group.
# A boot that fails is abandoned, and the group starts another instance.
set -euo pipefail

export AWS_DEFAULT_REGION=${region}
instance=
result=ABANDON

finish() {
  echo "$$result"
  for attempt in $$(seq 1 5); do
    if aws autoscaling complete-lifecycle-action --lifecycle-hook-name ${hook} \
      --auto-scaling-group-name ${group} --instance-id "$$instance" \
      --lifecycle-action-result "$$result"; then
      break
    fi
    echo "not told ($$attempt of 5)" # in the end the hook's time is over, which abandons as well
    sleep 5
  done
  [[ $$result == CONTINUE ]] || shutdown -h now
}
trap finish EXIT

token=$$(curl -sSf -X PUT http://169.254.169.254/latest/api/token -H "X-aws-ec2-metadata-token-ttl-seconds: 300")
instance=$$(curl -sSf -H "X-aws-ec2-metadata-token: $$token" http://169.254.169.254/latest/meta-data/instance-id)

echo net.ipv4.ip_forward=1 > /etc/sysctl.d/90-nat.conf
sysctl -p /etc/sysctl.d/90-nat.conf

swap() {
  dd if=/dev/zero of=/swapfile bs=1M count=${swap_mib} && chmod 600 /swapfile &&
    mkswap /swapfile && swapon /swapfile && echo "/swapfile none swap nofail 0 0" >> /etc/fstab
}

# Amazon Linux 2023 comes without nft and iptables. dnf alone takes most of a nano instance's memory,
# and the SSM agent updates itself meanwhile, which takes the rest, or the lock that dnf needs.
if ! command -v nft > /dev/null; then
  swap || echo "no swap"
  for attempt in $$(seq 1 ${install_attempts}); do
    if timeout ${install_seconds} dnf install -y nftables; then
      break
    fi
    echo "no nftables yet ($$attempt of ${install_attempts})"
    sleep ${pause_seconds}
  done
fi

# Rules come first, the unit that loads them at every start afterwards. A start at which it fails
# ends the instance, which the group then replaces.
cat > /etc/nat.nft <<RULES
add table ip nat
flush table ip nat
table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${cidr} ip daddr != ${cidr} masquerade
  }
}
RULES
cat > /etc/systemd/system/nat.service <<UNIT
[Unit]
Description=Forward the VPC's traffic
FailureAction=poweroff
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/sysctl -p /etc/sysctl.d/90-nat.conf
ExecStart=/usr/sbin/nft -f /etc/nat.nft
[Install]
WantedBy=multi-user.target
UNIT
nft -c -f /etc/nat.nft
systemctl enable --now nat.service
result=CONTINUE
