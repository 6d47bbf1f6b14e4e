# A managed PostgreSQL with a standby, the secrets, and the manifests of ../k8s with these settings.

locals {
  user     = "smartqueue"
  database = "smartqueue"
  overlay  = var.workers_by_prediction ? "prod-keda" : "prod"
  digest   = strcontains(var.image, "@")
  # The name before the tag; a port of a registry has a colon too, so from behind.
  image_name = local.digest ? split("@", var.image)[0] : regex("^(.+):[^:/]+$", var.image)[0]
  image_tag  = local.digest ? null : regex(":([^:/]+)$", var.image)[0]
  image_sha  = local.digest ? split("@", var.image)[1] : null

  settings = merge({
    ALLOWED_HOSTS         = "localhost,${var.host}"
    CSRF_TRUSTED_ORIGINS  = "https://${var.host}"
    SMARTQUEUE_PUBLIC_URL = "https://${var.host}"
    SMARTQUEUE_STORAGE    = var.artefact_storage
  }, var.settings)
}

# --- The database -----------------------------------------------------------------------------------------------

# Letters and digits: it stands in an address.
resource "random_password" "database" {
  length  = 40
  special = false
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
  tags       = var.tags
}

resource "aws_security_group" "database" {
  name_prefix = "${var.name}-database-"
  description = "PostgreSQL of ${var.name}, from the nodes"
  vpc_id      = var.vpc_id
  tags        = var.tags

  ingress {
    description     = "PostgreSQL"
    from_port       = 5432
    to_port         = 5432
    protocol        = "tcp"
    security_groups = [var.node_security_group_id]
  }

  lifecycle {
    create_before_destroy = true
  }
}

# What a 201 promises rests on fsync and full_page_writes, which RDS does not let anybody turn off; and on this.
resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-"
  family      = "postgres${var.postgres_version}"
  tags        = var.tags

  parameter {
    name  = "synchronous_commit"
    value = "on"
  }

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  identifier                   = var.name
  engine                       = "postgres"
  engine_version               = tostring(var.postgres_version)
  instance_class               = var.instance_class
  allocated_storage            = var.storage_gb.first
  max_allocated_storage        = var.storage_gb.most
  storage_type                 = "gp3"
  storage_encrypted            = true
  db_name                      = local.database
  username                     = local.user
  password                     = random_password.database.result
  db_subnet_group_name         = aws_db_subnet_group.this.name
  vpc_security_group_ids       = [aws_security_group.database.id]
  parameter_group_name         = aws_db_parameter_group.this.name
  publicly_accessible          = false
  multi_az                     = true
  auto_minor_version_upgrade   = true
  allow_major_version_upgrade  = false
  backup_retention_period      = var.backup_days
  copy_tags_to_snapshot        = true
  deletion_protection          = var.deletion_protection
  skip_final_snapshot          = false
  final_snapshot_identifier    = "${var.name}-final"
  performance_insights_enabled = true
  tags                         = var.tags
}

# --- The secrets ------------------------------------------------------------------------------------------------

resource "random_password" "key" {
  for_each = toset(["SECRET_KEY", "JWT_SIGNING_KEY", "ENCRYPTION_KEYS", "SMARTQUEUE_METRICS_TOKEN"])
  length   = 48
  special  = false
}

resource "kubernetes_namespace_v1" "this" {
  metadata {
    name   = var.namespace
    labels = { "pod-security.kubernetes.io/enforce" = "restricted" }
  }
}

resource "kubernetes_secret_v1" "settings" {
  metadata {
    name      = "smartqueue-secrets"
    namespace = kubernetes_namespace_v1.this.metadata[0].name
  }

  data = merge({
    DATABASE_URL             = "postgres://${local.user}:${random_password.database.result}@${aws_db_instance.this.endpoint}/${local.database}?sslmode=require"
    SECRET_KEY               = random_password.key["SECRET_KEY"].result
    JWT_SIGNING_KEY          = random_password.key["JWT_SIGNING_KEY"].result
    ENCRYPTION_KEYS          = "k1:${random_password.key["ENCRYPTION_KEYS"].result}"
    SMARTQUEUE_METRICS_TOKEN = random_password.key["SMARTQUEUE_METRICS_TOKEN"].result
  }, var.secret_settings)
}

resource "kubernetes_secret_v1" "scaler" {
  count = var.workers_by_prediction ? 1 : 0

  metadata {
    name      = "smartqueue-scaler"
    namespace = kubernetes_namespace_v1.this.metadata[0].name
  }

  data = { connection = var.scaler_connection }

  lifecycle {
    precondition {
      condition     = var.scaler_connection != ""
      error_message = "workers_by_prediction needs scaler_connection."
    }
  }
}

# --- The release ------------------------------------------------------------------------------------------------

data "kustomization_overlay" "release" {
  namespace = var.namespace
  resources = ["${path.module}/../k8s/overlays/${local.overlay}"]

  images {
    name     = "registry.example.com/smartqueue"
    new_name = local.image_name
    new_tag  = local.image_tag
    digest   = local.image_sha
  }

  config_map_generator {
    name     = "smartqueue-config"
    behavior = "merge"
    literals = [for name, value in local.settings : "${name}=${value}"]
  }

  patches {
    target {
      kind = "Ingress"
      name = "web"
    }
    patch = <<-PATCH
      - { op: replace, path: /spec/rules/0/host, value: ${var.host} }
      - { op: replace, path: /spec/tls/0/hosts/0, value: ${var.host} }
    PATCH
  }

  # Made above, with the secrets that must be there before.
  patches {
    patch = <<-PATCH
      $patch: delete
      apiVersion: v1
      kind: Namespace
      metadata: { name: smartqueue }
    PATCH
  }
}

resource "kustomization_resource" "release" {
  for_each = data.kustomization_overlay.release.ids
  manifest = data.kustomization_overlay.release.manifests[each.value]
  # Of the migration and of pods that wait for it.
  wait = true

  timeouts {
    create = "20m"
    update = "20m"
  }

  depends_on = [kubernetes_secret_v1.settings, kubernetes_secret_v1.scaler]
}
