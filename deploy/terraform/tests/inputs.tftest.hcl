# What is refused before anything is made. Providers are mocked: terraform test needs no account.

mock_provider "aws" {}
mock_provider "kubernetes" {}
mock_provider "kustomization" {
  mock_data "kustomization_overlay" {
    defaults = {
      ids       = []
      manifests = {}
    }
  }
}
mock_provider "random" {}

variables {
  image                  = "registry.example.com/smartqueue:0.1.0"
  host                   = "queue.example.com"
  artefact_storage       = "s3://smartqueue-artefacts"
  vpc_id                 = "vpc-1"
  subnet_ids             = ["subnet-1", "subnet-2"]
  node_security_group_id = "sg-1"
}

run "good_inputs_are_taken" {
  command = plan
}

run "latest_is_no_release" {
  command = plan
  variables {
    image = "registry.example.com/smartqueue:latest"
  }
  expect_failures = [var.image]
}

run "an_image_has_a_tag" {
  command = plan
  variables {
    image = "registry.example.com:5000/smartqueue"
  }
  expect_failures = [var.image]
}

run "a_host_is_no_address" {
  command = plan
  variables {
    host = "https://queue.example.com/"
  }
  expect_failures = [var.host]
}

run "pods_share_no_disk" {
  command = plan
  variables {
    artefact_storage = "/var/lib/artefacts"
  }
  expect_failures = [var.artefact_storage]
}

run "secrets_are_no_settings" {
  command = plan
  variables {
    settings = { SECRET_KEY = "shown to everybody" }
  }
  expect_failures = [var.settings]
}

run "old_servers_are_refused" {
  command = plan
  variables {
    postgres_version = 14
  }
  expect_failures = [var.postgres_version]
}

run "a_standby_needs_a_second_zone" {
  command = plan
  variables {
    subnet_ids = ["subnet-1"]
  }
  expect_failures = [var.subnet_ids]
}

run "there_is_a_backup" {
  command = plan
  variables {
    backup_days = 0
  }
  expect_failures = [var.backup_days]
}

run "storage_can_grow" {
  command = plan
  variables {
    storage_gb = { first = 50, most = 50 }
  }
  expect_failures = [var.storage_gb]
}
