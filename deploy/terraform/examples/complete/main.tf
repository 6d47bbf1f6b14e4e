# The providers are whoever's who calls the module: it has none of its own.
terraform {
  required_version = ">= 1.7"

  required_providers {
    aws           = { source = "hashicorp/aws" }
    kubernetes    = { source = "hashicorp/kubernetes" }
    kustomization = { source = "kbst/kustomization" }
  }
}

variable "scaler_connection" {
  description = "After the first apply, and scaler.sql: see the README of the module."
  type        = string
  default     = ""
  sensitive   = true
}

provider "aws" {
  region = "eu-central-1"
}

provider "kubernetes" {
  config_path = "~/.kube/config"
}

provider "kustomization" {
  kubeconfig_path = "~/.kube/config"
}

module "smartqueue" {
  source = "../.."

  image            = "registry.example.com/smartqueue:0.1.0"
  host             = "queue.example.com"
  artefact_storage = "s3://smartqueue-artefacts?region=eu-central-1"

  vpc_id                 = "vpc-0a1b2c3d4e5f60718"
  subnet_ids             = ["subnet-0a1b2c3d4e5f60718", "subnet-0a1b2c3d4e5f60719"]
  node_security_group_id = "sg-0a1b2c3d4e5f60718"

  workers_by_prediction = var.scaler_connection != ""
  scaler_connection     = var.scaler_connection

  settings = {
    SMARTQUEUE_RETENTION_DAYS = "30"
  }
}

output "url" {
  value = module.smartqueue.url
}
