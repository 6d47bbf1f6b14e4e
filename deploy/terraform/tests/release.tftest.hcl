# What is planned, with mocked providers.

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
  image                  = "registry.example.com:5000/team/smartqueue:0.1.0"
  host                   = "queue.example.com"
  artefact_storage       = "s3://smartqueue-artefacts"
  vpc_id                 = "vpc-1"
  subnet_ids             = ["subnet-1", "subnet-2"]
  node_security_group_id = "sg-1"
}

run "the_database_is_private_kept_and_doubled" {
  command = plan

  assert {
    condition     = aws_db_instance.this.multi_az && !aws_db_instance.this.publicly_accessible
    error_message = "The database has no standby, or can be reached from outside."
  }
  assert {
    condition     = aws_db_instance.this.storage_encrypted && aws_db_instance.this.deletion_protection
    error_message = "The database is not encrypted, or goes with a word."
  }
  assert {
    condition     = local.image_name == "registry.example.com:5000/team/smartqueue" && local.image_tag == "0.1.0"
    error_message = "The image was taken apart wrongly."
  }
  assert {
    condition     = length(kubernetes_secret_v1.scaler) == 0
    error_message = "KEDA was not asked for."
  }
}

run "prediction_needs_a_connection" {
  command = plan
  variables {
    workers_by_prediction = true
  }
  expect_failures = [kubernetes_secret_v1.scaler]
}
