output "url" {
  description = "Where the dashboard and the API are."
  value       = "https://${var.host}/"
}

output "namespace" {
  description = "Where it runs."
  value       = kubernetes_namespace_v1.this.metadata[0].name
}

output "database_endpoint" {
  description = "host:port of PostgreSQL, for scaler.sql and for backups."
  value       = aws_db_instance.this.endpoint
}

output "database_url" {
  description = "As the processes have it."
  value       = kubernetes_secret_v1.settings.data["DATABASE_URL"]
  sensitive   = true
}

output "metrics_token" {
  description = "What Prometheus sends as a bearer token."
  value       = random_password.key["SMARTQUEUE_METRICS_TOKEN"].result
  sensitive   = true
}
