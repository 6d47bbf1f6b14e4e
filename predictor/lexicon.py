"""Words and short phrases that speak for a category of the default set, or for an urgency. Of our own making.

Each is matched as whole words, in small letters. Strong ones speak twice as loud as weak ones.
"""

CATEGORY_STRONG = {
    "database": """
        postgres, postgresql, mysql, mariadb, sqlite, oracle, mongodb, mongo, redis, cassandra, clickhouse,
        dynamodb, bigquery, snowflake, redshift, sql, nosql, db, dbs, dba, database, databases, schema,
        schemas, table, tables, vacuum, autovacuum, analyze, reindex, indexes, indices, replication, replica
        lag, read replica, standby, failover slot, pg_dump, pg_restore, wal, tablespace, deadlock, deadlocks,
        lock waits, row lock, stored procedure, procedure, query, queries, rows, foreign key, foreign keys,
        primary key, primary keys, unique constraint, constraint, constraints, migration, migrations,
        transaction, transactions, rollback segment, connection pool, pgbouncer, materialise, materialised
        view, materialized view, partition, partitions, upsert, warehouse, data loss, trigger, cursor,
        sequence, columns, column, dump, point in time recovery, shard, shards, sharding, tempdb, etl load,
        bulk load, slow query, checkpoint, checkpoints, collation, elasticsearch index, sessions table,
        orphaned rows, duplicate rows, etl, extract, postgis, innodb, binlog, oplog, keyspace
    """,
    "infrastructure": """
        server, servers, host, hosts, vm, vms, virtual machine, virtual machines, hypervisor, cluster, node,
        nodes, kubernetes, kubectl, k8s, pod, pods, container, containers, docker, helm, terraform, ansible,
        puppet, chef, cpu, memory, ram, oom, disk, disks, drive, drives, raid, smart warnings, storage,
        volume, volumes, filesystem, file system, file server, inode, inodes, swap, kernel, bios, bmc, ipmi,
        firmware of the server, rack, racks, cooling, power supply, ups, battery, server room, datacentre,
        data centre, datacenter, hardware, warranty, autoscaling, autoscaler, scale, replicas, deployment
        replicas, worker deployment, control plane, image registry, registry mirror, image pull, cron,
        crontab, systemd, daemon, apt, yum, patches, security updates, reboot, reboots, backup, backups,
        snapshot, snapshots, object storage, bucket, s3, ntp, clock drift, ssh keys, provisioning, provision,
        no space left, spare parts, monitoring agent, log rotation, logrotate, hosting, temporary files, tmp,
        instance, instances, etcd, runner, runners, build agent, build agents, blade, chassis, fan,
        temperature, operating system, linux, windows server, machine, machines, secrets vault, prometheus,
        grafana
    """,
    "network": """
        network, networks, dns, vpn, firewall, firewalls, router, routers, switch, switches, subnet, subnets,
        vlan, vlans, ip, ips, ipv4, ipv6, tcp, udp, icmp, ping, bgp, ospf, mtu, nat, dhcp, proxy, proxies, pac
        file, gateway, gateways, load balancer, load balancers, ssl, tls, certificate, certificates,
        handshake, latency, packet, packets, packet loss, jitter, bandwidth, throughput, traffic, route,
        routes, routing, wifi, wlan, wireless, access point, access points, ddos, attack on the edge, port,
        ports, fibre, fiber, uplink, link, links, cable, cables, cabling, isp, carrier, peering, cdn, edge,
        domain, domains, nameserver, nameservers, resolve, resolver, hostname, endpoint, endpoints, health
        endpoint, probe, curl, connection between, deny list, allow list, address ranges, scanning addresses,
        flood of requests, timeouts to, unreachable from, tunnel, tunnels, ipsec, wireguard, network
        interface, snmp, netflow, traceroute, socket, sockets, websocket gateway, keepalive, cidr, wan, lan
    """,
    "application": """
        app, apps, application, exception, exceptions, traceback, stack trace, null pointer, bug, bugs,
        feature, release, hotfix, refactor, frontend, backend, ui, page, pages, button, form, forms, login,
        logout, sign in, signup, checkout, cart, basket, invoice task, invoices, receipt, receipts, mail,
        mails, email, emails, newsletter, newsletters, template, templates, notification, notifications,
        reminder, reminders, thumbnail, thumbnails, image, images, picture, pictures, photo, photos, avatar,
        avatars, banner, resize, watermark, translation, translations, locale, typo, strings, colour, layout,
        css, javascript, django, flask, react, module, library, dependency, dependencies, unit tests, model,
        training, train, retrain, predictions, prediction, accuracy, recommender, recommendation,
        recommendations, classifier, forecast, churn, ranking, features flag, feature flag, error 500, http
        500, api client, client version, deprecated fields, webhook, webhooks, pdf, export button, search box,
        user profile, profile page, password reset, customers see, mobile, android, ios, dashboard page, code,
        linter, report in pdf, usage report, render, rendering, renders, serialiser, endpoint returns,
        welcome, confirmation, confirmations, feedback, survey, coupon, payment
    """,
}
CATEGORY_WEAK = {
    "database": """
        index, records, record, insert, inserts, update rows, restore, select, commit, replica, primary, lake,
        staging table, import, sync, export table, extract, keys, aggregates, purge, archive, view, views,
        customers to csv, pool, sessions, locks, lock
    """,
    "infrastructure": """
        space, capacity, upgrade, worker, workers, restart, restarts, zone, region, quota, os, usage of disk,
        stack, install, agent, fleet, inventory
    """,
    "network": """
        connection, connections, timeout, timeouts, site, sites, connect, disconnected, offline, internet,
        office, vpn users, address, addresses, remote, ingress, public, request, requests, https, url, urls,
        reachable, slow connection
    """,
    "application": """
        user, users, account, accounts, deploy, screen, error, crash, crashes, customer, customers, orders,
        order, report, message, messages, sender, batch of, catalogue, help, text, label, api, service, task,
        pipeline, job fails, version
    """,
}
URGENCY_STRONG = {
    "high": """
        outage, down, unavailable, breach, breached, compromised, ransomware, malware, attack, attacked, ddos,
        data loss, corrupt, corrupted, corruption, emergency, urgent, urgently, immediately, asap, critical,
        blocker, production stopped, stopped, everybody, everyone, nobody, all users, all customers, every
        user, every page, every job, customers locked, locked out, dead, crashed, crash, offline, cannot log
        in, can not log in, cannot pay, cannot reach, not accepting, not reachable, unreachable, does not
        start, do not resolve, does not resolve, will not start, refuses all, cannot connect, no traffic, no
        space left, disk full, disk is full, security incident, incident, leaked, leak of, stolen, exposed,
        unauthorised, unauthorized, intruder, exploited, wrong person, other people, rolled back, roll back
        now, expired, exhausted, hangs for everybody, blocked for everybody, lost, gone, deleted by accident,
        wiped, shutting down, failed completely, total failure, panic, on fire, smoke, losing money, payments
        fail, checkout broken, production outage, production down, stop the, will stop, split brain, read only
        mode, sev1, p1
    """,
    "medium": """
        slow, slower, slowly, intermittent, intermittently, sometimes, now and then, occasionally, at times,
        some, several, few percent, degraded, degradation, warning, warnings, delay, delayed, delays, late,
        flaky, retries, near its limit, nearing, almost full, increased, increasing, growing, rising, doubled,
        dropped by, worse, partly, partially, half way, one in, percent, timeouts, workaround, too small, too
        long, hot, errors, missing for some, fails for some, lag, lagging, behind, unstable, drifts, drift,
        stale, duplicates, duplicate, twice, mismatch, wrong, inconsistent, restart every, restarts every,
        leak, spikes, spike, regression, alarm
    """,
    "low": """
        weekly, monthly, daily, nightly, yearly, quarterly, hourly, routine, planned, scheduled, regular,
        cosmetic, typo, wording, translation, refactor, clean, cleanup, tidy, inventory, list, report,
        reports, documentation, document, docs, archive, rename, minor, nice to have, whenever, no hurry, no
        rush, low priority, when convenient, spare time, test, staging first, staging, sandbox, backup,
        export, extract, import, refresh, rebuild, sync, upgrade, update, install, renew, review, audit list,
        experiment, trial, question, feature request, enhancement, proposal, ad hoc, adhoc, add, map, purge,
        rotate, resize, shrink, send, train, default parameters, no change, quiet window, maintenance window,
        next week, next month, someday, housekeeping, newsletter, probe, check that
    """,
}
URGENCY_WEAK = {
    "high": """
        production, failed, fails, failing, broken, cannot, refused, refuse, security, every, all, locked,
        live, customers, error 500, no
    """,
    "medium": """
        problem, issue, unexpected, fail, fails, failed, again, higher, high load, limit, peak, less, since,
        timeout, error, drops, drop, stuck
    """,
    "low": """
        create, generate, new, change, remove, delete, move, copy, compare, collect, count, prepare, schedule,
        old, example, demo, please, would like
    """,
}
# Before a word they take it back: "nothing is down", "no outage".
NEGATIONS = frozenset(
    [
        "no",
        "not",
        "never",
        "nothing",
        "none",
        "nobody",
        "without",
        "isn",
        "wasn",
        "aren",
        "didn",
        "doesn",
        "hasn",
        "neither",
    ]
)
# They make an emergency an exercise or a story of the past.
REHEARSALS = frozenset(
    [
        "drill",
        "rehearse",
        "rehearsal",
        "simulate",
        "simulated",
        "simulation",
        "exercise",
        "practice",
        "postmortem",
        "retrospective",
        "runbook",
        "checklist",
        "tabletop",
        "template",
        "mock",
        "resolved",
        "recovered",
    ]
)
