#!/bin/bash
# One run of a real mail server, by root on Debian 12: run.sh postfix|exim|sendmail SEED FOLDER
# The server is unpacked below FOLDER and seen by nobody else: a namespace of its own has its files, users,
# and a network with nothing but a loopback, which is where the documentation addresses live. Nothing is
# installed, but libraries that the server needs have to be there: `apt-get install liblockfile1 libwrap0
# libdbus-1-3 libnetfilter-conntrack3 libnftables1 libidn12 libgnutls-dane0 libmariadb3 libspf2-2 libnsl2
# libperl5.36 libpq5 libldap-2.5-0 libicu72 m4 iproute2`.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd) SERVER=$1 SEED=$2
mkdir -p "$3"; FOLDER=$(cd "$3" && pwd)
WORK=$FOLDER/$SERVER-$SEED

ROOT=$FOLDER/root-$SERVER
case $SERVER in
sendmail) packages="sendmail-bin sendmail-base sendmail-cf" ;;
postfix) packages=postfix ;;
exim) packages="exim4-daemon-heavy exim4-base" ;;
esac
if [ ! -d "$ROOT" ]; then
    mkdir -p "$ROOT-packages"
    # shellcheck disable=SC2086
    (cd "$ROOT-packages" && apt-get download -q $packages dnsmasq-base)
    for package in "$ROOT-packages"/*.deb; do dpkg -x "$package" "$ROOT"; done
fi
if [ -z "${INSIDE:-}" ]; then
    rm -rf "$WORK"
    INSIDE=1 exec unshare -m -n -u -p -f --mount-proc --kill-child bash "$0" "$SERVER" "$SEED" "$FOLDER"
fi

mount --make-rprivate /
mkdir -p "$WORK"/{mail,queue,data,grey,dev,etc/postfix,etc/exim4}
chmod 711 "$WORK"; chmod 1777 "$WORK/mail" "$WORK/grey"
for file in "$HERE"/etc/*; do sed "s|@WORK@|$WORK|g" "$file" > "$WORK/$(basename "$file")"; done
(cat /etc/passwd; number=2000
 for user in postfix smmta smmsp Debian-exim alice bob carol dave; do
     number=$((number + 1)); echo "$user:x:$number:$number::/nonexistent:/bin/sh"; done) > "$WORK/etc/passwd"
(cat /etc/group; number=2000
 for group in postfix smmta smmsp Debian-exim alice bob carol dave postdrop; do
     number=$((number + 1)); echo "$group:x:$number:"; done) > "$WORK/etc/group"
echo 'nameserver 127.0.0.1' > "$WORK/etc/resolv.conf"
printf '192.0.2.10 mx1.lab.example mx1\n127.0.0.1 localhost\n' > "$WORK/etc/hosts"
echo 'hosts: files dns' > "$WORK/etc/nsswitch.conf"
cp "$WORK/exim4.conf" "$WORK/etc/exim4/"
cp "$WORK/main.cf" "$WORK/master.cf" "$WORK/etc/postfix/"
sed 's/ / smtp:[/; s/$/]/' "$WORK/routes" > "$WORK/transport"
sed 's/ /: /; s/^@virt/*@virt/' "$WORK/virtual" > "$WORK/virtual.exim"
mount -t overlay overlay -o "lowerdir=$ROOT/usr:/usr" /usr
mount -t overlay overlay -o "lowerdir=$WORK/etc:$ROOT/etc:/etc" /etc
mount --bind "$WORK/mail" /var/mail
mount -t tmpfs none "$WORK/dev"
for device in null zero full random urandom tty; do
    touch "$WORK/dev/$device"; mount --bind "/dev/$device" "$WORK/dev/$device"; done
ln -s /proc/self/fd "$WORK/dev/fd"
mount --rbind "$WORK/dev" /dev
ip link set lo up
for address in 192.0.2.{10,20} 198.51.100.{10,11,12,13,14} 198.51.100.201; do
    ip addr add "$address/32" dev lo; done
ip route add local 203.0.113.0/24 dev lo
hostname mx1
export TZ=UTC
dnsmasq -C "$WORK/dnsmasq.conf" -k & 
python3 "$HERE/world.py" "$WORK" &
until [ -e "$WORK/ready" ]; do sleep 0.1; done

case $SERVER in
sendmail)
    cd "$WORK"; printf 'lab.example\nvirt.example\nmx1.lab.example\n' > local-host-names
    printf 'info@virt.example\talice\nsales@virt.example\tbob\nold@virt.example\terror:5.1.1:550 No such mailbox here\n@virt.example\tcarol\n' > virtusertable
    sed 's/ /\tesmtp:[/; s/$/]/' routes > mailertable
    (cd /usr/share/sendmail/cf && m4 m4/cf.m4 "$WORK/sendmail.mc") > sendmail.cf
    for map in access virtusertable mailertable; do
        /usr/libexec/sendmail/makemap -C "$WORK/sendmail.cf" hash "$map" < "$map"; done
    program="/usr/libexec/sendmail/sendmail -L sm-mta -C$WORK/sendmail.cf"
    chmod 700 queue
    $program -bi
    $program -bD &
    submit="$program"
    flush() { sed -i "s/^O Timeout.queuereturn=.*/O Timeout.queuereturn=${1}s/" sendmail.cf; $program -q; } ;;
postfix)
    chown postfix "$WORK/data"
    postalias "hash:$WORK/aliases"
    postfix start
    submit=/usr/sbin/sendmail
    # Of the same name the last one holds.
    flush() {
        echo "maximal_queue_lifetime = ${1}s" >> "$WORK/etc/postfix/main.cf"
        postfix reload; sleep 2; postqueue -f; sleep 10; } ;;
exim)
    chown -R Debian-exim:Debian-exim "$WORK/queue" "$WORK/grey"; chown Debian-exim "$WORK"
    chmod 755 "$WORK"
    exim4 -bdf -q1h &
    submit=exim4; flush() { exim4 -qf; } ;;
esac
until (exec 3<> /dev/tcp/192.0.2.10/25) 2> /dev/null; do sleep 0.2; done
python3 "$HERE/traffic.py" "$submit" "$SEED" "$WORK/truth.jsonl" "$WORK/early"
# So long have the first messages been there; all others are younger. Exim has a rule for their domain.
age() { echo $(($(date +%s) - $(stat -c %Y "$WORK/early"))); }
sleep 3; flush "$(age)"; sleep 2; flush "$(age)"; sleep 3
touch "$WORK/stop"; sleep 1
