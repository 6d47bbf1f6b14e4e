variable "name" {
  description = "Of the database and what belongs to it; several deployments in one account differ by it."
  type        = string
  default     = "smartqueue"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,40}$", var.name))
    error_message = "name is of small letters, digits and dashes, begins with a letter and has 2 to 41 characters."
  }
}

variable "namespace" {
  description = "The Kubernetes namespace, which is made."
  type        = string
  default     = "smartqueue"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace is a DNS label."
  }
}

variable "image" {
  description = "The image as name:tag, or name@sha256:digest. Not latest: a release is a tag of its own."
  type        = string

  validation {
    condition     = can(regex("^[^:@ ]+(:[0-9]+/[^:@ ]+)?(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image is name:tag or name@sha256:digest, and not latest."
  }
}

variable "host" {
  description = "The name by which the dashboard and the API are reached, over TLS."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.host))
    error_message = "host is a full domain name, without https:// and without a path."
  }
}

variable "artefact_storage" {
  description = "Where artefacts are kept: s3://bucket?region=…, as SMARTQUEUE_STORAGE."
  type        = string

  validation {
    condition     = startswith(var.artefact_storage, "s3://")
    error_message = "artefact_storage begins with s3://: pods share no disk."
  }
}

variable "settings" {
  description = "Further settings that are no secrets, by their names in .env.example."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : !can(regex("SECRET|PASSWORD|TOKEN|_KEYS?$|DATABASE_URL", name))])
    error_message = "settings are shown in plans and in the cluster: secrets go into secret_settings."
  }
}

variable "secret_settings" {
  description = "Further settings that are secrets, such as SMARTQUEUE_EMAIL_URL."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "workers_by_prediction" {
  description = "Scale workers by predicted waiting seconds, with KEDA, which must be there; else by processor time."
  type        = bool
  default     = false
}

variable "scaler_connection" {
  description = "postgres://smartqueue_scaler:…@host/smartqueue for KEDA, after deploy/k8s/components/keda/scaler.sql."
  type        = string
  default     = ""
  sensitive   = true

  validation {
    condition     = var.scaler_connection == "" || startswith(var.scaler_connection, "postgres://")
    error_message = "scaler_connection begins with postgres://."
  }
}

variable "postgres_version" {
  description = "The major version of PostgreSQL."
  type        = number
  default     = 17

  validation {
    condition     = contains([15, 16, 17, 18], var.postgres_version)
    error_message = "postgres_version is 15, 16, 17 or 18."
  }
}

variable "instance_class" {
  description = "Of the database."
  type        = string
  default     = "db.m7g.large"

  validation {
    condition     = startswith(var.instance_class, "db.")
    error_message = "instance_class begins with db."
  }
}

variable "storage_gb" {
  description = "Of the database, at first and at most: it grows by itself."
  type = object({
    first = number
    most  = number
  })
  default = {
    first = 50
    most  = 500
  }

  validation {
    condition     = var.storage_gb.first >= 20 && var.storage_gb.most > var.storage_gb.first
    error_message = "storage_gb.first is 20 or more, and storage_gb.most more than that."
  }
}

variable "backup_days" {
  description = "How long backups are kept. Without them a point in time cannot be restored."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days is from 1 to 35."
  }
}

variable "deletion_protection" {
  description = "Whether the database can be destroyed only after this was set to false and applied."
  type        = bool
  default     = true
}

variable "vpc_id" {
  description = "The network of the cluster."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id begins with vpc-."
  }
}

variable "subnet_ids" {
  description = "Private subnets for the database, in two zones or more."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids are two or more, each in another zone: the standby is in the second."
  }
}

variable "node_security_group_id" {
  description = "Of the nodes: who may reach the database."
  type        = string

  validation {
    condition     = startswith(var.node_security_group_id, "sg-")
    error_message = "node_security_group_id begins with sg-."
  }
}

variable "tags" {
  description = "On everything that has tags."
  type        = map(string)
  default     = {}
}
