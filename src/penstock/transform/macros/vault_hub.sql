{#
    A hub: every business key there ever was, once. Columns: `<code>_hk`, tenant, the key's columns, loaded_at (first
    seen) and record_source.

        {{ vault_hub('member', key=['member_id'], sources=[ref('stg_members'), ref('stg_loans')]) }}
#}
{% macro vault_hub(
    code, key, sources, tenant='tenant', loaded='loaded_at', record_source='record_source'
) -%}
    {{- vault_check_names(code, key) -}}
    {%- set columns = [
        (vault_hash_key(code, key, tenant=tenant), code ~ '_hk'),
        (tenant, 'tenant'),
    ] -%}
    {%- for name in key -%}{%- do columns.append((name, name)) -%}{%- endfor -%}
    {%- do columns.extend([(vault_moment(loaded, 'load time'), 'loaded_at'), (record_source, 'record_source')]) -%}
    {{ vault_insert(
        vault_arrived(sources, columns, key), identity=[code ~ '_hk'], others=['tenant'] + key, timed=false
    ) }}
{%- endmacro %}
