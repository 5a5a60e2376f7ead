{{/* Name of the chart, or what replaces it. */}}
{{- define "isthmus.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Prefix of all objects. */}}
{{- define "isthmus.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "isthmus.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "isthmus.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "isthmus.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "isthmus.selector" . }}
{{- end }}

{{- define "isthmus.selector" -}}
app.kubernetes.io/name: {{ include "isthmus.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "isthmus.image" -}}
{{- $name := .Values.image.repository }}
{{- if .Values.image.registry }}{{ $name = printf "%s/%s" .Values.image.registry $name }}{{ end }}
{{- if .Values.image.digest }}{{ printf "%s@%s" $name .Values.image.digest }}
{{- else }}{{ printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) }}{{ end }}
{{- end }}

{{- define "isthmus.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "isthmus.fullname" .) .Values.serviceAccount.name }}
{{- else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{/* Where agents, bridge and tests find the leading master. */}}
{{- define "isthmus.masterAddress" -}}
{{ include "isthmus.fullname" . }}-master:{{ .Values.master.port }}
{{- end -}}

{{/* What agents and bridge are told of the master: the URL of ZooKeeper, a variable that holds it, or the service. */}}
{{- define "isthmus.masterFlag" -}}
{{- if .Values.zookeeper.existingSecret.name -}}
$(ISTHMUS_ZK)
{{- else -}}
{{ .Values.zookeeper.url | default (include "isthmus.masterAddress" .) }}
{{- end -}}
{{- end -}}

{{/* The variable of the flag above. */}}
{{- define "isthmus.zookeeperEnv" -}}
{{- with .Values.zookeeper.existingSecret -}}
{{- if .name -}}
- name: ISTHMUS_ZK
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .key }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Flags given as a map: one argument for each, in the order of their names. */}}
{{- define "isthmus.flags" -}}
{{- range $name, $value := . }}
- {{ printf "--%s=%s" $name (kindIs "map" $value | ternary (toJson $value) (toString $value)) | quote }}
{{- end }}
{{- end }}

{{/* Scheduling of a component's pods. */}}
{{- define "isthmus.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .topologySpreadConstraints }}
topologySpreadConstraints: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Nothing of master and bridge needs root or a writable image. */}}
{{- define "isthmus.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}
