#!/bin/sh
# Make the secrets that docker/compose.yaml names, once, under build/secrets/docker. The folder is closed to
# other users of this machine; the files are open because containers read them as users of their own.
set -eu
folder=$(cd "$(dirname "$0")/.." && pwd)/build/secrets/docker
mkdir -p "$folder"
chmod 700 "$folder"
for name in postgres_password airflow_jwt airflow_fernet pseudonym_key; do
    if [ ! -s "$folder/$name" ]; then
        # 32 random bytes: in URL-safe base64 for Fernet, else as hex.
        case $name in
            airflow_fernet) head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' ;;
            *) od -An -N 32 -t x1 /dev/urandom | tr -d ' \n' ;;
        esac > "$folder/$name"
    fi
done
chmod 644 "$folder"/*
