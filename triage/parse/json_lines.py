"""One JSON object a line: which keys mean time, level, message and so on, over the loggers that people use.

structlog, python-json-logger, loguru's serialize, ECS, OpenTelemetry, pino, bunyan, zap, Postgres's jsonlog,
CloudNativePG, MongoDB, Google Cloud and Docker.
"""

from __future__ import annotations

from triage.parse.layout import Layout

# Members without which an object after a line of text is that line's payload rather than a record of its own.
_MEMBER = (
    r"\"(?:message|msg|event|level|levelname|severity|lvl|log|@timestamp|timestamp|asctime|time|ts|record|text|@t|@m"
    r"|error_severity|logger|body|Body|SeverityText|severityText|log\.level|jsonPayload|time_local|Timestamp|request)\"\s*:"
)

LAYOUTS = (
    Layout(
        "json.object", "app", r"(?P<head>)\s*\{\s*(?:" + _MEMBER + r"|\"[^\n]*[,{]\s*" + _MEMBER + r")[^\n]*\}\s*$",
        clock="none", single=True, tags=frozenset({"json"}),
    ),
    Layout(
        "json.other_object", "app", r"(?P<head>)\{\s*\"[^\n]*\}\s*$",
        tier=6, clock="none", single=True, tags=frozenset({"json", "weak"}),
    ),
    Layout("json.pretty", "app", r"(?P<head>)\{\s*$", tier=6, clock="none", tags=frozenset({"json", "weak"})),
)  # fmt: skip

# For each column the keys that may hold it, best first; nested objects are written with dots.
KEYS: dict[str, tuple[str, ...]] = {
    "ts": ("@timestamp", "timestamp", "asctime", "time", "ts", "datetime", "date", "t", "Timestamp", "TimeStamp", "eventTime",
           "record.time.timestamp", "record.time.repr", "t.$date", "timeUnixNano", "observedTimeUnixNano", "logged_at", "created", "log_time",
           "timeMillis", "instant.epochSecond", "@t", "record.timestamp", "record.log_time", "time_local", "time_iso8601", "start_time", "StartUTC", "dt", "created_at", "eventTimestamp", "receiveTimestamp", "_time", "generated_at", "timestamp_ns", "fields.timestamp", "jsonPayload.timestamp"),
    "level": ("log.level", "levelname", "level_name", "level", "severity", "severity_text", "severityText", "lvl", "log_level", "loglevel", "LogLevel",
              "error_severity", "record.level.name", "record.error_severity", "s", "@l", "Level", "SeverityText", "Severity", "fields.level", "jsonPayload.level", "jsonPayload.severity"),
    "level_number": ("severity_number", "severityNumber", "SeverityNumber", "record.level.no"),
    "message": ("message", "msg", "event", "body", "record.message", "Body", "Message", "body.stringValue", "text", "log", "@m", "@mt",
                "error_message", "short_message", "textPayload", "event.message", "RenderedMessage", "MessageTemplate", "fields.message", "jsonPayload.message", "jsonPayload.msg", "jsonPayload.event", "log.message", "error", "err"),
    "logger": ("logger", "name", "logger_name", "log.logger", "loggerName", "record.name", "component", "c", "source_context",
               "instrumentation_scope.name", "scope.name", "scope_name", "SourceContext", "caller", "channel", "target", "Properties.SourceContext", "fields.logger", "jsonPayload.logger"),
    "pid": ("pid", "process", "process_id", "process.pid", "process.id", "record.process.id", "processId", "record.process_id"),
    "thread": ("threadName", "thread_name", "thread", "process.thread.name", "record.thread.name", "taskName", "processName"),
    "service": ("service.name", "service_name", "service", "resource.service.name", "resource.attributes.service.name", "Resource.service.name"),
    "host": ("host.name", "hostname", "host.hostname", "host", "HOSTNAME"),
    "exception": ("exc_info", "exception", "exc_text", "traceback", "stack_trace", "error.stack_trace", "exception.stacktrace",
                  "attributes.exception.stacktrace", "Attributes.exception.stacktrace", "stack", "stacktrace", "err.stack", "error.stack", "exception.traceback", "record.exception.traceback", "@x", "Exception", "exc", "error_stack", "errorStack", "jsonPayload.exception"),
    "exception_type": ("error.type", "exception.type", "attributes.exception.type", "Attributes.exception.type", "exc_type", "exception_type", "error_type", "err.type",
                       "record.exception.type", "error.kind", "err.name", "errorType", "exception_class", "exception.class", "exception_name", "exc_info.type", "error.name", "error_class", "errorClass", "context.exception.class", "exc_class"),
    "exception_message": ("error.message", "exception.message", "attributes.exception.message", "Attributes.exception.message", "exc_message", "exception_message",
                          "record.exception.value", "err.message", "exc_value", "errorMessage", "context.exception.message"),
    "duration_ms": ("duration_ms", "elapsed_ms", "response_time_ms", "latency_ms", "took_ms", "time_ms", "durationMs", "responseTime", "elapsed_milliseconds", "Elapsed", "Properties.Elapsed", "request_time_ms", "duration_millis"),
    "duration_s": ("duration_s", "elapsed_s", "duration_seconds", "elapsed_seconds", "request_time", "process_time"),
    "duration": ("duration", "elapsed", "runtime", "latency", "httpRequest.latency", "http.response_time", "response_time"),  # whose unit is told or guessed
    "duration_ns": ("event.duration", "Duration"),  # ECS, Traefik
    "status": ("status_code", "http.response.status_code", "http.status_code", "response.status_code", "statusCode", "status", "http_status", "res.statusCode", "httpRequest.status",
               "attributes.http.status_code", "attributes.http.response.status_code", "Attributes.http.status_code",
               "Attributes.http.response.status_code", "code", "response", "response_code", "responseCode", "DownstreamStatus", "http_status_code", "jsonPayload.status", "fields.status"),
    "method": ("http.request.method", "httpRequest.requestMethod", "http.method", "method", "request.method", "req.method", "request_method", "RequestMethod", "verb", "http_method", "requestMethod"),
    "path": ("url.path", "httpRequest.requestUrl", "path", "http.target", "request.path", "req.url", "url", "request_uri", "uri", "http.route", "request_path", "RequestPath", "request.uri", "request.url", "http_path", "endpoint"),
    "client": ("client.address", "client_ip", "remote_addr", "client.ip", "remote_ip", "client_addr", "network.client.ip", "request.remote_ip", "ClientHost", "clientip", "client", "remoteAddr", "ip"),
    "sqlstate": ("state_code", "sqlstate", "pgcode", "record.sql_state_code"),
    "task_id": ("task_id", "celery.task_id", "celery_task_id", "record.extra.task_id", "data.id"),
    "task_name": ("task_name", "celery.task_name", "task", "celery_task_name", "data.name"),
    "request_id": ("request_id", "requestId", "x_request_id", "http.request.id", "correlation_id", "correlationId", "req_id", "x-request-id",
                   "X-Request-ID", "record.extra.request_id", "trace.request_id", "reqId", "request.id", "req.id", "aws_request_id", "function_request_id", "jsonPayload.request_id", "fields.request_id"),
    "job_id": ("job_id", "jobId", "job.id", "ai_job_id", "record.extra.job_id"),
    "user_id": ("user_id", "userId", "user.id", "uid", "enduser.id", "record.extra.user_id"),
    "trace_id": ("trace_id", "traceId", "trace.id", "otelTraceID", "dd.trace_id", "TraceId", "logging.googleapis.com/trace", "record.extra.trace_id", "traceID", "otel.trace_id", "trace", "jsonPayload.trace_id"),
    "span_id": ("span_id", "spanId", "span.id", "otelSpanID", "dd.span_id", "SpanId", "logging.googleapis.com/spanId"),
}  # fmt: skip
# Managers that wrap the server's own record into one of theirs: CloudNativePG, and Azure's diagnostic settings, whose
# message still has the server's prefix.
WRAPPED_POSTGRES: tuple[dict[str, str], ...] = (
    {"ts": "record.log_time", "level": "record.error_severity", "message": "record.message", "pid": "record.process_id",
     "sqlstate": "record.sql_state_code"},
    {"ts": "properties.timestamp", "level": "properties.errorLevel", "message": "properties.message", "pid": "properties.processId",
     "sqlstate": "properties.sqlerrcode"},
)  # fmt: skip
STAMPED_PREFIX = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}[^\n]{0,200}?[\s:\-][A-Z]{3,9}:  "
POSTGRES_KEYS: dict[str, str] = {  # Postgres's jsonlog and CloudNativePG's record to our attributes
    "detail": "postgres.detail", "hint": "postgres.hint", "context": "postgres.context", "statement": "postgres.statement",
    "internal_query": "postgres.query", "dbname": "postgres.database", "user": "postgres.user", "database_name": "postgres.database",
    "user_name": "postgres.user", "application_name": "postgres.application_name", "query": "postgres.statement",
    "remote_host": "client.address", "connection_from": "client.address",
}  # fmt: skip
