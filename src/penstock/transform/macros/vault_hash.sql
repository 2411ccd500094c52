{# The Data Vault's hashes. Their convention is a promise, written down with golden values in docs/vault.md. #}

{#
    The canonical text of a value, as `penstock.sql.canonical` writes it: it depends on the value alone, neither on
    the scale of a decimal nor on the session's time zone. The type is known when the query is bound, so one branch
    is left of the CASE.
#}
{% macro vault_text(column) -%}
    {%- set text = 'cast(' ~ column ~ ' as varchar)' -%}
    {%- set trimmed = "rtrim(rtrim(" ~ text ~ ", '0'), '.')" -%}
    {%- set number = 'try_cast(' ~ column ~ ' as double)' -%}
    case
        when typeof({{ column }}) = 'TIMESTAMP WITH TIME ZONE'
            then cast(epoch_us(try_cast({{ column }} as timestamptz)) as varchar)
        when typeof({{ column }}) in ('DOUBLE', 'FLOAT')
            then case when isnan({{ number }}) then 'nan' else cast({{ number }} + cast(0 as double) as varchar) end
        when starts_with(typeof({{ column }}), 'DECIMAL(') then
            case
                when not contains({{ text }}, '.') then {{ text }}
                when {{ number }} = 0 then '0'
                when starts_with({{ text }}, '.') then concat('0', {{ trimmed }})
                when starts_with({{ text }}, '-.') then concat('-0', substr({{ trimmed }}, 2))
                else {{ trimmed }}
            end
        when typeof({{ column }}) = 'BLOB' then hex(try_cast({{ column }} as blob))
        else {{ text }}
    end
{%- endmacro %}

{# A literal with its length in bytes in front, so that no two lists of texts read the same. #}
{% macro vault_net(text) -%}
    '{{ text.encode() | length }}:{{ text }},'
{%- endmacro %}

{# As the arguments of a concatenation: a value's canonical text with its length in bytes in front. #}
{% macro vault_net_value(column) -%}
    strlen({{ vault_text(column) }}), ':', {{ vault_text(column) }}, ','
{%- endmacro %}

{# The key of what has no key: 64 zeros. #}
{% macro vault_unknown_key() -%}
    '{{ '0' * 64 }}'
{%- endmacro %}

{#
    The hash key of a business key: SHA-256, 64 hexadecimal characters, over tenant, collision code and the columns
    in the order given. A key whose columns are all null is the unknown key.

        {{ vault_hash_key('member', ['member_id']) }}
#}
{% macro vault_hash_key(code, columns, tenant='tenant') -%}
    case
        when {% for column in columns %}{{ column }} is null{% if not loop.last %} and {% endif %}{% endfor %}
            then {{ vault_unknown_key() }}
        else sha256(concat(
            {{ vault_net_value(tenant) }},
            {{ vault_net(code) }}
            {%- for column in columns %},
            case when {{ column }} is null then '-,' else concat({{ vault_net_value(column) }}) end
            {%- endfor %}
        ))
    end
{%- endmacro %}

{#
    The hash diff: the canonical row hash of the columns. They go by name, so neither their order nor a further
    column that is null changes it. `is_deleted` takes part only where it is true.

        {{ vault_hash_diff(['name', 'city']) }}
#}
{% macro vault_hash_diff(columns, deleted='is_deleted', tenant='tenant') -%}
    sha256(concat(
        {{ vault_net_value(tenant) }}
        {%- for name in (columns + ['is_deleted']) | sort(case_sensitive=true) %},
        {% if name == 'is_deleted' -%}
            case when {{ deleted }} then '10:is_deleted,4:true,' end
        {%- else -%}
            case when {{ name }} is not null then concat({{ vault_net(name) }}, {{ vault_net_value(name) }}) end
        {%- endif %}
        {%- endfor %}
    ))
{%- endmacro %}
